/**
 * One graph of a scorer: its workers start with the first image, and end when none came for a while. One that cannot be
 * loaded again is tried until it can.
 */
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { PACE, pauseAfter } from '../../lib/pace.ts';
import type { GraphState } from '../../types/scorer.ts';
import { type Batcher, type BatcherOptions, type Inferred, openBatcher } from './batch.ts';
import type { Tensors } from './tensor.ts';

const MEGABYTE = 1e6;

export class Graph {
  readonly name: string;
  readonly #options: BatcherOptions;
  readonly #keepAliveMs: number;
  #batcher: Promise<Batcher> | undefined;
  /** The batcher of the last load, also after its release. */
  #last: Batcher | undefined;
  #inside = 0;
  /** Its memory is wanted back as soon as nothing is inside. */
  #isUnwanted = false;
  #closed = false;
  #idle: NodeJS.Timeout | undefined;
  /** Failed loads in a row, since it was loaded once; why the last one failed, and when the next one is due. */
  #failures = 0;
  #failure: AssayError | undefined;
  #again: NodeJS.Timeout | undefined;

  /** @param keepAliveMs how long it stays loaded without work; 0: until it is closed */
  constructor(name: string, options: BatcherOptions, keepAliveMs: number) {
    this.name = name;
    this.#options = options;
    this.#keepAliveMs = keepAliveMs;
  }

  /** Execution provider in use, or of the last load; undefined before the first. */
  get provider(): string | undefined {
    return this.#last?.provider;
  }

  /** Why preferred providers are not used. */
  get notes(): string[] {
    return this.#last?.notes ?? [];
  }

  get state(): GraphState {
    const loaded = this.#batcher !== undefined && this.#last !== undefined;
    const memoryMb = loaded ? Math.round(this.#last!.loadedBytes / MEGABYTE) : null;
    const { precision } = this.#last ?? {};
    return {
      name: this.name,
      loaded,
      provider: this.provider ?? null,
      memoryMb,
      ...(precision && { precision }),
    };
  }

  /** Why it cannot infer now, though it could once; null: it can, or is loaded by the next image. */
  get fault(): string | null {
    return this.#failure?.message ?? (this.#batcher && this.#last?.fault) ?? null;
  }

  /**
   * Runs one item, without the batch dimension.
   *
   * @throws MODEL_LOAD_FAILED, BACKEND_MISSING, INFERENCE_FAILED, SCORER_RECOVERING, DRAINING, or the signal's reason
   */
  async infer(feeds: Tensors, signal: AbortSignal): Promise<Inferred> {
    clearTimeout(this.#idle);
    this.#inside++;
    try {
      return await (await this.#open()).infer(feeds, signal);
    } finally {
      this.#inside--;
      this.#releaseWhenIdle();
    }
  }

  /** Loads the graph unless it is loaded. */
  async load(): Promise<void> {
    await this.#open();
    this.#releaseWhenIdle();
  }

  /** Gives its memory back, now or when what is at work is done; the next item loads it again. @returns when */
  release(): 'now' | 'later' | 'unloaded' {
    if (!this.#batcher) return 'unloaded';
    this.#isUnwanted = this.#inside > 0;
    if (this.#isUnwanted) return 'later';
    clearTimeout(this.#idle);
    void this.#release();
    return 'now';
  }

  /** Runs copies of one item as one batch. @returns milliseconds of the run */
  async timeBatch(feeds: Tensors, count: number): Promise<number> {
    return (await this.#open()).timeBatch(feeds, count);
  }

  /** Ends the workers for good; waiting items fail with DRAINING. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    clearTimeout(this.#again);
    await this.#release();
  }

  /** Forgotten before it is closed: what comes meanwhile loads it again. */
  async #release(): Promise<void> {
    const released = this.#batcher;
    this.#batcher = undefined;
    const batcher = await released?.catch(() => undefined);
    await batcher?.close();
  }

  #open(): Promise<Batcher> {
    if (this.#closed) return Promise.reject(fail('DRAINING', {}));
    if (this.#batcher) return this.#batcher;
    if (this.#again) return Promise.reject(this.#failure);
    const opened = this.#last ? this.#reload(this.#last.provider) : openBatcher(this.#options);
    this.#batcher = opened;
    opened.then(
      (batcher) => {
        this.#last = batcher;
        this.#failures = 0;
        this.#failure = undefined;
      },
      () => {
        if (this.#batcher === opened) this.#batcher = undefined;
      },
    );
    return opened;
  }

  /** On the same provider only: another one may have other weights than the results say. */
  async #reload(provider: string): Promise<Batcher> {
    const { spec, check } = this.#options;
    try {
      await check?.();
      return await openBatcher({ ...this.#options, spec: { ...spec, providers: [provider] } });
    } catch (cause) {
      const error = fail('SCORER_RECOVERING', { scorer: spec.scorer, reason: reasonOf(cause) }, { cause });
      this.#tryAgainAfter(error);
      throw error;
    }
  }

  #tryAgainAfter(error: AssayError): void {
    this.#failure = error;
    this.#options.onTrouble?.(error.message);
    if (this.#closed) return;
    this.#failures++;
    this.#again = setTimeout(
      () => {
        this.#again = undefined;
        this.load().catch(() => {});
      },
      pauseAfter(this.#failures + 1, PACE),
    ).unref();
  }

  #releaseWhenIdle(): void {
    clearTimeout(this.#idle);
    if (this.#isUnwanted && this.#inside === 0) return void this.release();
    if (this.#keepAliveMs === 0 || this.#inside > 0 || this.#closed) return;
    this.#idle = setTimeout(() => void this.#release(), this.#keepAliveMs).unref();
  }
}
