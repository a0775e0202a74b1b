/**
 * Long work over the bytes of an image, in slices: the main thread does nothing else meanwhile, and everyone waits. What
 * fits in one slice is done at once.
 */
import { createHash, hash } from 'node:crypto';
import { turn } from '../../lib/turn.ts';

/** Some 1 ms of hashing, or 4 ms of copying into memory that was not touched before. */
const SLICE_BYTES = 2 ** 20;

/** Calls `work` with the ends of each slice of `total` in turn. @throws the signal's reason, and what `work` throws */
export async function inSlices(
  total: number,
  slice: number,
  work: (from: number, to: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (let from = 0; from < total; from += slice) {
    signal?.throwIfAborted();
    work(from, Math.min(total, from + slice));
    if (turn.isLong) await turn.next();
  }
}

/** Hex sha256. */
export async function sha256Of(bytes: Uint8Array, signal?: AbortSignal): Promise<string> {
  if (bytes.length <= SLICE_BYTES) return hash('sha256', bytes);
  const digest = createHash('sha256');
  await inSlices(bytes.length, SLICE_BYTES, (from, to) => digest.update(bytes.subarray(from, to)), signal);
  return digest.digest('hex');
}

/** A copy in memory of its own. */
export async function copyOf(bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length <= SLICE_BYTES) return new Uint8Array(bytes);
  const copy = new Uint8Array(bytes.length);
  await inSlices(bytes.length, SLICE_BYTES, (from, to) => copy.set(bytes.subarray(from, to), from), signal);
  return copy;
}
