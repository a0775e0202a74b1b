/** Hashes of images, large ones in slices: a gigapixel's bytes would stop everything else for half a second. */
import { createHash, hash } from 'node:crypto';
import { turn } from '../turn.ts';

/** Bytes hashed between two looks at the clock. */
const SLICE_BYTES = 2 ** 20;

/** SHA-256 in hex. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= SLICE_BYTES) return hash('sha256', bytes);
  const digest = createHash('sha256');
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    digest.update(bytes.subarray(at, at + SLICE_BYTES));
    if (turn.isLong) await turn.next();
  }
  return digest.digest('hex');
}
