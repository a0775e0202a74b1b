/**
 * Step 10: the history of verdicts in `<dataDir>/history.db`.
 *
 * Verdicts wait in memory for some milliseconds and are written many at a time. Whatever happens to the file,
 * scoring goes on: the fault is logged once, verdicts wait up to a bound, and writing resumes by itself.
 */
import { join } from 'node:path';
import { fail } from '../errors.ts';
import type { Ledger } from '../host.ts';
import type { HistoryPage, HistoryQuery, ScoreResult } from '../types.ts';
import type { Opened } from './connection.ts';
import { createGuardedFile } from './guarded.ts';
import type { StoreLog } from './health.ts';
import { pageRequest, readPage } from './history.ts';
import { createLedger } from './ledger.ts';
import { createRecorder } from './recorder.ts';

/** Most verdicts that wait: about 20 MB. */
const MAX_QUEUED = 16_384;
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
  /** What is known of the files of one host. Its calls throw STORE_UNAVAILABLE while the file cannot be used. */
  ledger(host: string): Ledger;
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
  const { dataDir, log, now = Date.now, maxQueued = MAX_QUEUED } = options;
  const file = createGuardedFile(join(dataDir, 'history.db'), log, now);
  const recorder = createRecorder(maxQueued, now, log);
  const { health } = file;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  /** Has the file worked on later. There is at most one timer; while a fault lasts it does not hold the process open. */
  function wake(afterMs: number): void {
    if (timer || closed) return;
    timer = setTimeout(pump, afterMs);
    if (health.fault) timer.unref();
  }

  function sleep(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  /** Runs `work` on the file. It works again once nothing waits: a batch may find room where the next does not. */
  function use<T>(work: (opened: Opened) => T): T {
    const answer = file.run(work);
    if (recorder.waiting === 0) health.worked({ ...recorder.counts });
    return answer;
  }

  /** Whether it went well; if not, the guard has noted why. */
  function attempt(work: (opened: Opened) => void): boolean {
    try {
      use(work);
      return true;
    } catch {
      return false;
    }
  }

  function pump(): void {
    sleep();
    const worked = attempt(recorder.writeSome);
    if (health.fault || recorder.waiting > 0) wake(worked ? 0 : health.pauseMs);
  }

  function history(query: HistoryQuery): HistoryPage {
    const page = pageRequest(query);
    if (closed) throw fail('STORE_UNAVAILABLE', { reason: CLOSED });
    if (!health.mayTry()) throw fail('STORE_UNAVAILABLE', { reason: health.fault!.reason });
    sleep();
    try {
      return use((opened) => {
        recorder.writeAll(opened);
        return readPage(opened.db, page);
      });
    } finally {
      if (health.fault || recorder.waiting > 0) wake(health.pauseMs);
    }
  }

  /** Like `use`, for callers that are told of faults and try again themselves. */
  function useNow<T>(work: (opened: Opened) => T): T {
    if (closed) throw fail('STORE_UNAVAILABLE', { reason: CLOSED });
    return use(work);
  }

  function status(): StoreStatus {
    const reason = closed ? CLOSED : (health.fault?.reason ?? null);
    return { state: closed ? 'off' : reason === null ? 'ok' : 'degraded', reason, ...recorder.counts };
  }

  function close(): void {
    if (closed) return;
    sleep();
    // A second try for a file that turns out damaged just now: the first one has put a fresh one in its place.
    if (recorder.waiting > 0 && !attempt(recorder.writeAll)) attempt(recorder.writeAll);
    recorder.giveUp();
    closed = true;
    file.close();
  }

  if (!attempt(() => {}) && health.fault) wake(health.pauseMs);
  return {
    record(results, client) {
      for (const result of results) recorder.add(result, client);
      if (recorder.waiting > 0) wake(GATHER_MS);
    },
    history,
    ledger: (host) => createLedger(host, useNow, now),
    status,
    close,
  };
}
