/** The history file behind a guard: faults of the disk are noted, logged once and turned into one coded error. */
import { type AssayError, fail } from '../../errors/error.ts';
import { createConnection, type Opened } from './connection.ts';
import { type Fault, faultOf } from './faults.ts';
import { createHealth, type Health, type StoreLog } from './health.ts';

/** A file that is damaged again so soon is a sign of a broken disk: then no heap of moved files is made. */
const LEAST_BETWEEN_MOVES_MS = 60_000;

export interface GuardedFile {
  readonly health: Health;
  /**
   * Runs `work` on the open file, which is opened when it is not.
   *
   * @throws STORE_UNAVAILABLE for whatever goes wrong; the file is then closed and opened anew the next time
   */
  run<T>(work: (opened: Opened) => T): T;
  /** Notes what another thread met at the file, and gives the error to throw. */
  met(cause: unknown): AssayError;
  close(): void;
}

/** @param now Unix milliseconds, for the name of a damaged file that is moved */
export function createGuardedFile(path: string, log: StoreLog, now: () => number): GuardedFile {
  const connection = createConnection(path);
  const health = createHealth(log);
  let movedAt = Number.NEGATIVE_INFINITY;

  /** A damaged file makes way for a fresh one. Returns what still stands in the way, or null. */
  function startAfresh(damage: Fault): Fault | null {
    if (performance.now() - movedAt < LEAST_BETWEEN_MOVES_MS) return damage;
    try {
      const movedTo = connection.setAside(now());
      movedAt = performance.now();
      log.error(
        { reason: damage.reason, movedTo },
        'the history was damaged: it was moved and a new one begun',
      );
      connection.use();
      return null;
    } catch (error) {
      return faultOf(error, path);
    }
  }

  function met(cause: unknown): AssayError {
    const fault = faultOf(cause, path);
    const remaining = fault.kind === 'corrupt' ? startAfresh(fault) : fault;
    if (remaining) {
      connection.drop();
      health.failed(remaining);
    }
    return fail('STORE_UNAVAILABLE', { reason: (remaining ?? fault).reason }, { cause });
  }

  return {
    health,
    met,
    run(work) {
      try {
        return work(connection.use());
      } catch (cause) {
        throw met(cause);
      }
    },
    close: connection.drop,
  };
}
