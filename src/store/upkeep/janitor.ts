/** Keeps the history within its bounds: now and then, slice by slice, with pauses in which verdicts are written. */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf } from '../../errors/error.ts';
import type { StoreLog } from '../file/health.ts';
import type { Retention, Trimmed } from './retention.ts';
import { Aside } from './thread-work.ts';

export interface JanitorOptions {
  /** The database file. */
  path: string;
  retention: Retention;
  /** Milliseconds until the first round, and between rounds. */
  firstMs: number;
  everyMs: number;
  log: StoreLog;
  /** Unix milliseconds. */
  now: () => number;
  /** Called after each slice. */
  onPause: () => void;
}

/** Rewriting a file of an older version once is the longest slice. */
const DEADLINE_MS = 60_000;
/** Between slices, so that others get the file's lock. */
const PAUSE_MS = 10;

export class Janitor {
  readonly #options: JanitorOptions;
  readonly #thread = new Aside();
  #timer: NodeJS.Timeout | undefined;
  #slice: Promise<unknown> | undefined;
  #closed = false;

  constructor(options: JanitorOptions) {
    this.#options = options;
    this.#wake(options.firstMs);
  }

  /** Whether it holds the file's lock just now: who writes would have to wait for it, and the main thread must not. */
  get working(): boolean {
    return this.#slice !== undefined;
  }

  /** Resolves when it does not hold the lock. */
  async paused(): Promise<void> {
    await this.#slice?.catch(() => {});
  }

  /** Ends after the slice in work. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.paused();
    await this.#thread.close();
  }

  #wake(afterMs: number): void {
    if (!this.#closed) this.#timer = setTimeout(() => void this.#round(), afterMs).unref();
  }

  async #round(): Promise<void> {
    const { log, everyMs } = this.#options;
    try {
      const deleted = await this.#sweep();
      if (deleted > 0) log.info({ deleted }, 'deleted the oldest verdicts, as the retention asks');
    } catch (error) {
      if (!this.#closed) log.warn({ reason: reasonOf(error) }, 'the history could not be trimmed');
    }
    this.#wake(everyMs);
  }

  async #sweep(): Promise<number> {
    let deleted = 0;
    for (let more = true; more && !this.#closed; ) {
      if (!existsSync(this.#options.path)) return deleted; // opening would make it
      const done = await this.#doSlice();
      deleted += done.deleted;
      more = done.more;
      await pause(PAUSE_MS, undefined, { ref: false });
    }
    return deleted;
  }

  async #doSlice(): Promise<Trimmed> {
    const { path, retention, now, onPause } = this.#options;
    const task = { type: 'trim', path, retention, now: now() } as const;
    const slice = this.#thread.ask<Trimmed>(task, AbortSignal.timeout(DEADLINE_MS));
    this.#slice = slice;
    try {
      return await slice;
    } finally {
      this.#slice = undefined;
      onPause();
    }
  }
}
