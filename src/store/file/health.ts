/** Whether the history works, and how long to wait before trying again. Logs changes, not rows. */
import type { Log } from '../../log.ts';
import type { Fault } from './faults.ts';

export type StoreLog = Pick<Log, 'info' | 'warn' | 'error'>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** A reader may ask for a try before the pause is over, but no more often than this. */
const IMPATIENCE_MS = 1000;

export interface Health {
  /** What is wrong, or null. */
  readonly fault: Fault | null;
  /** Milliseconds until the next try. */
  readonly pauseMs: number;
  failed(fault: Fault): void;
  /** @param figures what the log says beside it */
  worked(figures: object): void;
  /** Whether a reader is worth a try now. */
  mayTry(): boolean;
}

export function createHealth(log: StoreLog): Health {
  let fault: Fault | null = null;
  let pauseMs = FIRST_PAUSE_MS;
  /** When the state last changed or a try last failed, in milliseconds of performance.now(). */
  let since = performance.now();
  const elapsed = (): number => performance.now() - since;

  return {
    get fault() {
      return fault;
    },
    get pauseMs() {
      return pauseMs;
    },
    failed(found) {
      // A fault soon after a recovery goes on with the long pauses, so that a flickering one cannot fill the log.
      const fresh = fault === null && elapsed() > LONGEST_PAUSE_MS;
      pauseMs = fresh ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      if (fault?.kind !== found.kind)
        log.warn({ reason: found.reason }, 'verdicts are not recorded for now; scoring goes on');
      fault = found;
      since = performance.now();
    },
    worked(figures) {
      if (fault === null) return;
      fault = null;
      since = performance.now();
      log.info(figures, 'verdicts are recorded again');
    },
    mayTry: () => fault === null || elapsed() >= IMPATIENCE_MS,
  };
}
