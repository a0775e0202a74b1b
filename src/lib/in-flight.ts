/**
 * The same work asked for by several at once, done once. Each may leave without disturbing the others; when the last one
 * leaves, the work is given up. A failure is for those who waited for it: whoever asks later starts anew.
 */
import { orAbort } from './abort.ts';

interface Shared<T> {
  outcome: Promise<T>;
  waiting: number;
  controller: AbortController;
}

export class InFlight<T> {
  readonly #shared = new Map<string, Shared<T>>();

  /**
   * What `make` gives for the key, or gives already for someone else.
   *
   * @param make its signal aborts when nobody waits any more
   * @throws what `make` throws, or the signal's reason
   */
  async share(key: string, make: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const shared = this.#shared.get(key) ?? this.#begin(key, make);
    shared.waiting++;
    try {
      return await orAbort(shared.outcome, signal);
    } finally {
      shared.waiting--;
      if (shared.waiting === 0) this.#end(key, shared, signal.reason);
    }
  }

  #begin(key: string, make: (signal: AbortSignal) => Promise<T>): Shared<T> {
    const controller = new AbortController();
    const shared = { outcome: make(controller.signal), waiting: 0, controller };
    this.#shared.set(key, shared);
    const forget = () => this.#forget(key, shared);
    shared.outcome.then(forget, forget);
    return shared;
  }

  #end(key: string, shared: Shared<T>, reason: unknown): void {
    this.#forget(key, shared);
    shared.controller.abort(reason);
  }

  #forget(key: string, shared: Shared<T>): void {
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
  }
}
