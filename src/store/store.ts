/**
 * Step 10: the history of verdicts in `<dataDir>/history.db`.
 *
 * Verdicts wait in memory for some milliseconds and are written many at a time. Whatever happens to the file,
 * scoring goes on: the fault is logged once, verdicts wait up to a bound, and writing resumes by itself.
 */
import { join } from 'node:path';
import { fail } from '../errors.ts';
import type { HistoryPage, HistoryQuery, ScoreResult } from '../types.ts';
import type { Opened } from './connection.ts';
import { createGuardedFile } from './guarded.ts';
import type { StoreLog } from './health.ts';
import { pageRequest, readPage } from './history.ts';
import { createQueue } from './queue.ts';

/** Most verdicts that wait: about 20 MB. */
const MAX_QUEUED = 16_384;
/** Verdicts a transaction: a few milliseconds during which the event loop stands still. */
const BATCH = 64;
/** Longest wait for company before verdicts are written. */
const GATHER_MS = 15;
const CLOSED = 'it is closed';

export interface StoreOptions {
  /** Folder of `history.db`; created when absent. */
  dataDir: string;
  log: StoreLog;
  /** Unix milliseconds; the clock of the machine when absent. */
  now?: (() => number) | undefined;
  /** Most verdicts that wait while the file cannot be written. */
  maxQueued?: number | undefined;
}

export interface StoreStatus {
  /** `degraded`: verdicts wait in memory, or are dropped beyond the bound. */
  state: 'ok' | 'degraded' | 'off';
  /** Why it is not ok, for people. */
  reason: string | null;
  /** Verdicts lost since the start. */
  dropped: number;
  /** Verdicts written since the start. */
  recorded: number;
}

export interface Store {
  /** Takes results in at once and writes them soon. Never throws. */
  record(results: readonly ScoreResult[], client: string): void;
  /**
   * One page of the history, with everything that was recorded before the call.
   *
   * @throws BAD_REQUEST for a wrong cursor or limit, STORE_UNAVAILABLE while the file cannot be used
   */
  history(query: HistoryQuery): HistoryPage;
  status(): StoreStatus;
  /** Writes what waits and closes the file. Never throws. */
  close(): void;
}

/**
 * Opens the history. Never throws: a fault shows in `status()` and the log, and is retried with growing pauses.
 *
 * @example
 * const store = openStore({ dataDir: config.dataDir, log });
 * store.record(results, 'comfyui');
 * const { entries, next } = store.history({ decision: 'reject', limit: 50 });
 * store.close();
 */
export function openStore(options: StoreOptions): Store {
  const { log, now = Date.now } = options;
  const file = createGuardedFile(join(options.dataDir, 'history.db'), log, now);
  const queue = createQueue(options.maxQueued ?? MAX_QUEUED);
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let overflowing = false;
  let recorded = 0;
  let dropped = 0;

  function enqueue(result: ScoreResult, client: string): void {
    if (!closed && queue.push({ at: now(), client, result })) return;
    dropped++;
    if (closed || overflowing) return;
    overflowing = true;
    log.warn({ waiting: queue.size }, 'too many verdicts wait to be recorded: further ones are dropped');
  }

  function writeBatch({ writer }: Opened): void {
    const batch = queue.peek(BATCH);
    if (batch.length > 0) {
      const refusals = writer.write(batch);
      queue.shift(batch.length);
      recorded += batch.length - refusals.length;
      dropped += refusals.length;
      if (refusals.length > 0)
        log.error(
          { count: refusals.length, reason: refusals[0] },
          'dropped verdicts that do not fit the history',
        );
    }
    if (queue.size > 0) return;
    overflowing = false;
    file.health.worked({ recorded, dropped });
  }

  function writeAll(opened: Opened): void {
    do writeBatch(opened);
    while (queue.size > 0);
  }

  /** Sees to the next try. There is at most one timer, and while a fault lasts it does not hold the process open. */
  function wake(afterMs: number): void {
    if (timer || closed) return;
    timer = setTimeout(pump, afterMs);
    if (file.health.fault) timer.unref();
  }

  /** Fits the timer to how things stand after a try that was not its own. */
  function sleepAnew(): void {
    clearTimeout(timer);
    timer = undefined;
    if (file.health.fault || queue.size > 0) wake(file.health.fault ? file.health.pauseMs : 0);
  }

  /** Works on the file; false when it cannot be used, which the guard has noted then. */
  function attempt(work: (opened: Opened) => void): boolean {
    try {
      file.run(work);
      return true;
    } catch {
      return false;
    }
  }

  function pump(): void {
    timer = undefined;
    const worked = attempt(writeBatch);
    if (file.health.fault || queue.size > 0) wake(worked ? 0 : file.health.pauseMs);
  }

  function history(query: HistoryQuery): HistoryPage {
    const page = pageRequest(query);
    if (closed) throw fail('STORE_UNAVAILABLE', { reason: CLOSED });
    if (!file.health.mayTry()) throw fail('STORE_UNAVAILABLE', { reason: file.health.fault!.reason });
    try {
      return file.run((opened) => {
        writeAll(opened);
        return readPage(opened.db, page);
      });
    } finally {
      sleepAnew();
    }
  }

  function status(): StoreStatus {
    const reason = closed ? CLOSED : (file.health.fault?.reason ?? null);
    return { state: closed ? 'off' : reason ? 'degraded' : 'ok', reason, dropped, recorded };
  }

  function close(): void {
    if (closed) return;
    clearTimeout(timer);
    // A second try for a file that turns out damaged just now: the first one has put a fresh one in its place.
    if (queue.size > 0 && !attempt(writeAll)) attempt(writeAll);
    closed = true;
    dropped += queue.size;
    if (queue.size > 0) log.warn({ lost: queue.size }, 'closed before these verdicts could be recorded');
    file.close();
  }

  attempt(() => {});
  if (file.health.fault) wake(file.health.pauseMs);
  return {
    record(results, client) {
      for (const result of results) enqueue(result, client);
      if (queue.size > 0) wake(GATHER_MS);
    },
    history,
    status,
    close,
  };
}
