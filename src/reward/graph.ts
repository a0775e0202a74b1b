/** One graph of a scorer: its workers start with the first image, and end when none came for a while. */
import { fail } from '../errors.ts';
import type { GraphState } from '../types.ts';
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
  #closed = false;
  #idle: NodeJS.Timeout | undefined;

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
    return { name: this.name, loaded, provider: this.provider ?? null, memoryMb };
  }

  /**
   * Runs one item, without the batch dimension.
   *
   * @throws MODEL_LOAD_FAILED, BACKEND_MISSING, INFERENCE_FAILED, DRAINING, or the signal's reason
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

  /** Ends the workers for good; waiting items fail with DRAINING. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#release();
  }

  async #release(): Promise<void> {
    const batcher = await this.#batcher?.catch(() => undefined);
    this.#batcher = undefined;
    await batcher?.close();
  }

  #open(): Promise<Batcher> {
    if (this.#closed) return Promise.reject(fail('DRAINING', {}));
    if (this.#batcher) return this.#batcher;
    const opened = openBatcher(this.#options);
    this.#batcher = opened;
    opened.then(
      (batcher) => {
        this.#last = batcher;
      },
      // The next image tries again.
      () => {
        if (this.#batcher === opened) this.#batcher = undefined;
      },
    );
    return opened;
  }

  #releaseWhenIdle(): void {
    clearTimeout(this.#idle);
    if (this.#keepAliveMs === 0 || this.#inside > 0 || this.#closed) return;
    this.#idle = setTimeout(() => void this.#release(), this.#keepAliveMs).unref();
  }
}
