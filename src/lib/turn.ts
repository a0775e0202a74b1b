/**
 * Keeps every turn of the event loop short. Work that may be long, or comes in floods, looks at `isLong` between two
 * bits of it and goes on in a later turn; sockets, timers and other requests come in between.
 */

/** Milliseconds of such work in one turn, all of it together. */
const SLICE_MS = 8;

class Turn {
  #since: number | undefined;
  readonly #queue: (() => void)[] = [];

  /** Whether this turn has had its share. */
  get isLong(): boolean {
    this.#begin();
    return performance.now() - this.#since! > SLICE_MS;
  }

  /** Runs `work` now, or in a later turn when this one is long; first come, first served. */
  run(work: () => void): void {
    if (this.#queue.length > 0 || this.isLong) this.#queue.push(work);
    else work();
  }

  /** Resolves in a later turn. */
  next(): Promise<void> {
    this.#begin();
    return new Promise((resolve) => {
      this.#queue.push(resolve);
    });
  }

  #begin(): void {
    if (this.#since !== undefined) return;
    this.#since = performance.now();
    setImmediate(() => this.#end());
  }

  #end(): void {
    this.#since = undefined;
    this.#step();
  }

  /** One bit of the queue after the other; what a promise continues with runs before the next step looks at the clock. */
  #step(): void {
    if (this.#queue.length === 0 || this.isLong) return;
    this.#queue.shift()!();
    queueMicrotask(() => this.#step());
  }
}

/** One for the process, as there is one event loop. */
export const turn = new Turn();
