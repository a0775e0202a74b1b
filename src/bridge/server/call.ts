/** One request in flight: its deadline, its abort signal, and what it must give back at its end. */
import { setTimeout as pause } from 'node:timers/promises';
import { type AssayError, fail } from '../../errors/error.ts';

export class Call {
  readonly route: string;
  readonly client: string;
  /** Images in it, for the log; known once the body is parsed. */
  items = 0;
  /** Milliseconds of its slowest item in each stage, for the log. */
  slowest: Record<string, number> = {};
  /** Whether it is not worth a log line when it goes well. */
  isQuiet = false;
  readonly #startedAt = performance.now();
  readonly #controller = new AbortController();
  readonly #aborted: Promise<never>;
  readonly #cleanups: (() => void)[] = [];
  #isEnded = false;

  /** @param timeoutMs 0 for no deadline */
  constructor(route: string, client: string, timeoutMs: number) {
    this.route = route;
    this.client = client;
    this.#aborted = new Promise((_, reject) => {
      this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true });
    });
    this.#aborted.catch(() => {}); // a call may be aborted while nobody waits for it
    if (timeoutMs > 0) this.#setDeadline(timeoutMs);
  }

  #setDeadline(timeoutMs: number): void {
    const timer = setTimeout(() => this.abort(fail('DEADLINE', { timeoutMs })), timeoutMs);
    this.onEnd(() => clearTimeout(timer));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** The first reason stays. */
  abort(reason: AssayError): void {
    this.#controller.abort(reason);
  }

  /** Settles with the work, or at once with the reason of an abort, even when the work does not heed its signal. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    this.signal.throwIfAborted();
    return await Promise.race([work(), this.#aborted]);
  }

  /**
   * The same for work that heeds its signal by handing over what it has: it is given some time to do so, unless nobody
   * wants it any more.
   *
   * @param withinMs after the abort
   */
  async handOver<T>(work: () => Promise<T>, withinMs: number): Promise<T> {
    this.signal.throwIfAborted();
    const timeout = new AbortController();
    const late = this.#aborted.catch(async (reason: AssayError) => {
      if (reason.code !== 'CANCELLED') await pause(withinMs, undefined, { signal: timeout.signal });
      throw reason;
    });
    late.catch(() => {});
    try {
      return await Promise.race([work(), late]);
    } finally {
      timeout.abort();
    }
  }

  /** Runs `cleanup` at the end of the call, or now when it has ended: work may outlive the call that began it. */
  onEnd(cleanup: () => void): void {
    if (this.#isEnded) cleanup();
    else this.#cleanups.push(cleanup);
  }

  end(): void {
    this.#isEnded = true;
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}
