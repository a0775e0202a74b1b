/**
 * Bytes of request bodies that the daemon holds at once, all clients together.
 * Without it, 32 clients that each post 64 raw images would need 6 GiB before the first is scored;
 * with it they wait unread in their sockets, and TCP slows the senders.
 */

interface Waiter {
  bytes: number;
  /** Takes what `charge` returned. */
  go: (giveBack: () => void) => void;
}

export class Budget {
  readonly #capacity: number;
  #held = 0;
  readonly #waiters: Waiter[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(capacityBytes: number) {
    this.#capacity = capacityBytes;
  }

  /** Whether new bytes should wait: readers that cannot ask before they read look here. */
  get isFull(): boolean {
    return this.#held >= this.#capacity || this.#waiters.length > 0;
  }

  /** Waits its turn for room, first come first served; returns what gives the bytes back, once. */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    const share = Math.min(bytes, this.#capacity);
    if (this.#waiters.length > 0 || this.#held + share > this.#capacity)
      return await this.#wait(share, signal);
    return this.charge(share);
  }

  /** Books bytes that are here already. */
  charge(bytes: number): () => void {
    this.#held += bytes;
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#held -= bytes;
      this.#next();
    };
  }

  /** Calls `listener` whenever bytes came back, until the returned function is called. */
  onRelease(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #next(): void {
    for (
      let first = this.#waiters[0];
      first && this.#held + first.bytes <= this.#capacity;
      first = this.#waiters[0]
    ) {
      this.#waiters.shift();
      first.go(this.charge(first.bytes));
    }
    for (const listener of this.#listeners) listener();
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const waiter = { bytes, go: resolve };
    const onAbort = () => reject(signal.reason);
    this.#waiters.push(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
    }
  }
}
