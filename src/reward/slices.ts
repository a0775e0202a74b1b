/**
 * Long work over the bytes of an image, in slices: the main thread does nothing else meanwhile, and everyone waits. One
 * slice at a time, however many images are at it; what fits in one slice is done at once.
 */
import { createHash, hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Some 2 ms of hashing, or 7 ms of copying into memory that was not touched before. */
const SLICE_BYTES = 2 ** 21;

/** The end of the line. */
let last: Promise<void> = Promise.resolve();

/** Calls `work` with the ends of each slice of `total` in turn. @throws the signal's reason, and what `work` throws */
export async function inSlices(
  total: number,
  slice: number,
  work: (from: number, to: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (let from = 0; from < total; from += slice) {
    const turn = last.then(async () => {
      signal?.throwIfAborted();
      work(from, Math.min(total, from + slice));
      await nextTurn();
    });
    last = turn.catch(() => {});
    await turn;
  }
}

/** Hex sha256. */
export async function sha256Of(bytes: Uint8Array, signal?: AbortSignal): Promise<string> {
  if (bytes.length <= 2 * SLICE_BYTES) return hash('sha256', bytes);
  const digest = createHash('sha256');
  await inSlices(bytes.length, SLICE_BYTES, (from, to) => digest.update(bytes.subarray(from, to)), signal);
  return digest.digest('hex');
}

/** A copy in memory of its own. */
export async function copyOf(bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length <= 2 * SLICE_BYTES) return new Uint8Array(bytes);
  const copy = new Uint8Array(bytes.length);
  await inSlices(bytes.length, SLICE_BYTES, (from, to) => copy.set(bytes.subarray(from, to), from), signal);
  return copy;
}
