/** Trying again, as long as it makes sense. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AssayError, toAssayError } from '../../errors/error.ts';

/** Tries of what fails with a `retry` error. */
export const TRIES = 4;

export interface Patience {
  /** Milliseconds; after each further failure twice as long, up to ten times. */
  pauseMs: number;
  /** Ends the waiting. */
  signal: AbortSignal;
  /** Whether to go on after this many failures. */
  again(error: AssayError, failures: number): boolean | Promise<boolean>;
}

/**
 * Does `work` until it succeeds.
 *
 * @throws the error that `again` does not forgive; the signal's reason
 */
export async function persist<T>(work: () => Promise<T> | T, patience: Patience): Promise<T> {
  const { pauseMs, signal, again } = patience;
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (thrown) {
      const error = toAssayError(thrown);
      signal.throwIfAborted();
      if (!(await again(error, failures))) throw error;
    }
    await sleep(pauseMs * Math.min(2 ** (failures - 1), 10), undefined, { signal });
  }
}
