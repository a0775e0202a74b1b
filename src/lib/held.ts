/** Something that several use at the same time: opened by the first of them, closed behind the last. */
import { orAbort } from './abort.ts';

export class Held<T> {
  readonly #open: (signal: AbortSignal) => Promise<T>;
  readonly #close: () => void;
  #users = 0;
  #opened: Promise<T> | undefined;
  #controller = new AbortController();

  /**
   * @param open its signal aborts when nobody uses it any more
   * @param close called when it is open, or could not be opened, and nobody uses it
   */
  constructor(open: (signal: AbortSignal) => Promise<T>, close: () => void) {
    this.#open = open;
    this.#close = close;
  }

  /** @throws what opening or `use` throws, or the signal's reason while it is being opened */
  async use<R>(use: (opened: T) => Promise<R>, signal: AbortSignal): Promise<R> {
    this.#users++;
    try {
      this.#opened ??= this.#open(this.#controller.signal);
      return await use(await orAbort(this.#opened, signal));
    } finally {
      this.#users--;
      if (this.#users === 0) this.#leave(signal.reason);
    }
  }

  #leave(reason: unknown): void {
    this.#controller.abort(reason);
    this.#opened?.then(this.#close, this.#close);
    this.#opened = undefined;
    this.#controller = new AbortController();
  }
}
