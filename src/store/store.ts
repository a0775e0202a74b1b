/**
 * Step 10: the history of verdicts in `<dataDir>/history.db`.
 *
 * Verdicts wait in memory for some milliseconds and are written many at a time. Whatever happens to the file,
 * scoring goes on: the fault is logged once, verdicts wait up to a bound, and writing resumes by itself.
 */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { AssayError, fail } from '../errors/error.ts';
import type { Ledger } from '../host.ts';
import { orAbort } from '../lib/abort.ts';
import type { HistoryPage, HistoryQuery } from '../types/history.ts';
import type { ScoreResult } from '../types/result.ts';
import type { Opened } from './file/connection.ts';
import { createGuardedFile, type GuardedFile } from './file/guarded.ts';
import type { StoreLog } from './file/health.ts';
import { createLedger } from './ledger.ts';
import { Janitor } from './upkeep/janitor.ts';
import type { Retention } from './upkeep/retention.ts';
import { Aside } from './upkeep/thread-work.ts';
import { type PageRequest, pageRequest } from './verdicts/history.ts';
import { BATCH, createRecorder, type Recorder } from './verdicts/recorder.ts';

/** Most verdicts that wait: about 20 MB. */
const MAX_QUEUED = 16_384;
/** Longest wait for company before verdicts are written. */
const GATHER_MS = 15;
/** Longest time that a search takes before it ends with what it has. */
const SEARCH_MS = 1000;
/** Longest time for a page, its turn included. */
const READ_DEADLINE_MS = 15_000;
/** Not while the daemon starts. */
const FIRST_TRIM_MS = 10_000;
const TRIM_EVERY_MS = 600_000;
const CLOSED = 'it is closed';
const LATE = 'it did not answer in time';

/** The retention that a config asks for; undefined when it asks for none. */
export function retentionOf({ historyMaxAgeDays, historyMaxBytes }: Bounds): Retention | undefined {
  if (historyMaxAgeDays === undefined && historyMaxBytes === undefined) return undefined;
  return { maxAgeMs: historyMaxAgeDays && historyMaxAgeDays * 86_400_000, maxBytes: historyMaxBytes };
}

type Bounds = Pick<Config, 'historyMaxAgeDays' | 'historyMaxBytes'>;

export interface StoreOptions {
  /** Folder of `history.db`; created when absent. */
  dataDir: string;
  log: StoreLog;
  /** Unix milliseconds; the clock of the machine when absent. */
  now?: (() => number) | undefined;
  /** Most verdicts that wait while the file cannot be written. */
  maxQueued?: number | undefined;
  /** What is deleted, and how often; nothing when absent. */
  retention?: (Retention & { firstMs?: number; everyMs?: number }) | undefined;
  /** Longest time that a search takes before it ends with what it has, in milliseconds. */
  searchMs?: number | undefined;
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
  /**
   * Takes results in at once and writes them soon. Never throws.
   *
   * @param once what a result is known by when it comes a second time: it is written once
   */
  record(
    results: readonly ScoreResult[],
    client: string,
    once?: (result: ScoreResult) => string | undefined,
  ): void;
  /**
   * One page of the history, with everything that was recorded before the call. It is read beside the main thread. A
   * long search ends early: its page may hold less than the limit, and the next one goes on where it ended.
   *
   * @throws BAD_REQUEST for a wrong cursor or limit, STORE_UNAVAILABLE while the file cannot be used
   */
  history(query: HistoryQuery, signal?: AbortSignal): Promise<HistoryPage>;
  /** What is known of the files of one host. Its calls throw STORE_UNAVAILABLE while the file cannot be used. */
  ledger(host: string): Ledger;
  status(): StoreStatus;
  /** Writes what waits and closes the file; at once, unless the retention is at work. Never throws. */
  close(): Promise<void>;
}

/**
 * Opens the history. Never throws: a fault shows in `status()` and the log, and is retried with growing pauses.
 *
 * @example
 * const store = openStore({ dataDir: config.dataDir, log });
 * store.record(results, 'trainer-7');
 * const { entries, next } = await store.history({ decision: 'reject', limit: 50 });
 * await store.close();
 */
export const openStore = (options: StoreOptions): Store => new History(options);

class History implements Store {
  readonly #path: string;
  readonly #now: () => number;
  readonly #searchMs: number;
  readonly #file: GuardedFile;
  readonly #recorder: Recorder;
  readonly #reader = new Aside();
  readonly #janitor: Janitor | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ dataDir, log, retention, ...options }: StoreOptions) {
    const { now = Date.now, maxQueued = MAX_QUEUED, searchMs = SEARCH_MS } = options;
    this.#path = join(dataDir, 'history.db');
    this.#now = now;
    this.#searchMs = searchMs;
    this.#file = createGuardedFile(this.#path, log, now);
    this.#recorder = createRecorder(maxQueued, now, log);
    this.#janitor =
      retention &&
      new Janitor({
        path: this.#path,
        retention,
        firstMs: retention.firstMs ?? FIRST_TRIM_MS,
        everyMs: retention.everyMs ?? TRIM_EVERY_MS,
        log,
        now,
        onPause: () => this.#recorder.waiting > 0 && this.#wake(0),
      });
    if (!this.#attempt(() => {}) && this.#file.health.fault) this.#wake(this.#file.health.pauseMs);
  }

  record(
    results: readonly ScoreResult[],
    client: string,
    once?: (result: ScoreResult) => string | undefined,
  ): void {
    for (const result of results) this.#recorder.add(result, client, once?.(result));
    if (this.#recorder.waiting > 0) this.#wake(GATHER_MS);
  }

  async history(query: HistoryQuery, signal?: AbortSignal): Promise<HistoryPage> {
    const request = pageRequest(query);
    this.#checkTry();
    const late = AbortSignal.timeout(READ_DEADLINE_MS);
    try {
      return await this.#read(request, signal ? AbortSignal.any([late, signal]) : late);
    } catch (cause) {
      throw cause === late.reason ? fail('STORE_UNAVAILABLE', { reason: LATE }, { cause }) : cause;
    }
  }

  ledger(host: string): Ledger {
    return createLedger(host, (work) => this.#useNow(work), this.#now);
  }

  status(): StoreStatus {
    const reason = this.#isClosed ? CLOSED : (this.#file.health.fault?.reason ?? null);
    const state = this.#isClosed ? 'off' : reason === null ? 'ok' : 'degraded';
    return { state, reason, ...this.#recorder.counts };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#sleep();
    if (this.#janitor) await this.#janitor.close();
    const { writeAll } = this.#recorder;
    // A second try for a file that turns out damaged just now: the first one has put a fresh one in its place.
    if (this.#recorder.waiting > 0 && !this.#attempt(writeAll)) this.#attempt(writeAll);
    this.#recorder.giveUp();
    this.#isClosed = true;
    this.#file.close();
    await this.#reader.close();
  }

  /** Has the file worked on later. There is at most one timer; while a fault lasts it does not hold the process open. */
  #wake(afterMs: number): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => this.#pump(), afterMs);
    if (this.#file.health.fault) this.#timer.unref();
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pump(): void {
    this.#sleep();
    if (this.#janitor?.working) return; // it calls when it is done
    const worked = this.#attempt(this.#recorder.writeSome);
    const { health } = this.#file;
    if (health.fault || this.#recorder.waiting > 0) this.#wake(worked ? 0 : health.pauseMs);
  }

  /** Runs `work` on the file. It works again once nothing waits: a batch may find room where the next does not. */
  #use<T>(work: (opened: Opened) => T): T {
    const answer = this.#file.run(work);
    if (this.#recorder.waiting === 0) this.#file.health.worked({ ...this.#recorder.counts });
    return answer;
  }

  /** Whether it went well; if not, the guard has noted why. */
  #attempt(work: (opened: Opened) => void): boolean {
    try {
      this.#use(work);
      return true;
    } catch {
      return false;
    }
  }

  /** Like `#use`, for callers that are told of faults and try again themselves. */
  #useNow<T>(work: (opened: Opened) => T): T {
    if (this.#isClosed) throw fail('STORE_UNAVAILABLE', { reason: CLOSED });
    return this.#use(work);
  }

  /** @throws STORE_UNAVAILABLE when a try is not worth it now */
  #checkTry(): void {
    const { health } = this.#file;
    if (this.#isClosed) throw fail('STORE_UNAVAILABLE', { reason: CLOSED });
    if (!health.mayTry()) throw fail('STORE_UNAVAILABLE', { reason: health.fault!.reason });
  }

  async #read(request: PageRequest, until: AbortSignal): Promise<HistoryPage> {
    const question = { type: 'page', path: this.#path, request, longestMs: this.#searchMs } as const;
    const { health } = this.#file;
    try {
      this.#use(() => {});
      await orAbort(this.#writeWaiting(until), until);
      return await this.#reader.ask<HistoryPage>(question, until);
    } catch (cause) {
      throw until.aborted || cause instanceof AssayError ? cause : this.#file.met(cause);
    } finally {
      if (health.fault || this.#recorder.waiting > 0) this.#wake(health.pauseMs);
    }
  }

  /** Writes what waits now, in turns with other work. */
  async #writeWaiting(until: AbortSignal): Promise<void> {
    for (let due = this.#recorder.waiting; due > 0 && !until.aborted; due -= BATCH) {
      await this.#janitor?.paused();
      this.#use(this.#recorder.writeSome);
      await setImmediate();
    }
  }
}
