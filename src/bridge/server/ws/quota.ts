/**
 * What one websocket may have in work. Requests beyond it wait here in their order, read and parsed, so that what
 * comes after them (`cancel`, `ping`) is heard; when too many bytes wait, the next large message is not read on.
 */

export interface QuotaLimits {
  bytes: number;
  items: number;
}

interface Ticket {
  bytes: number;
  items: number;
  admit: () => void;
}

/** What a waiting request takes beside its bytes. */
const OVERHEAD_BYTES = 1024;

export class Quota {
  readonly #limits: QuotaLimits;
  #bytes = 0;
  #items = 0;
  #waiting: Ticket[] = [];
  #waitingBytes = 0;
  #onRoom: (() => void)[] = [];

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** Takes a place, now or in turn; what comes gives the place back. Rejects with the reason of the signal. */
  enter(bytes: number, items: number, signal: AbortSignal): (() => void) | Promise<() => void> {
    const leave = () => {
      this.#add(-bytes, -items);
      this.#admit();
    };
    if (this.#waiting.length > 0 || this.#isFull)
      return this.#wait({ bytes, items }, signal).then(() => leave);
    this.#add(bytes, items);
    return leave;
  }

  /** Undefined when another large message may come; else settles when it may. */
  room(): Promise<void> | undefined {
    if (this.#waitingBytes < this.#limits.bytes) return undefined;
    return new Promise((resolve) => {
      this.#onRoom.push(resolve);
    });
  }

  get #isFull(): boolean {
    return this.#bytes >= this.#limits.bytes || this.#items >= this.#limits.items;
  }

  #add(bytes: number, items: number): void {
    this.#bytes += bytes;
    this.#items += items;
  }

  async #wait({ bytes, items }: Omit<Ticket, 'admit'>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket = { bytes, items, admit: resolve };
    const onAbort = () => {
      this.#leave(ticket);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(ticket);
    this.#waitingBytes += bytes + OVERHEAD_BYTES;
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #leave(ticket: Ticket): void {
    const rest = this.#waiting.filter((t) => t !== ticket);
    if (rest.length === this.#waiting.length) return;
    this.#waiting = rest;
    this.#waitingBytes -= ticket.bytes + OVERHEAD_BYTES;
    if (this.#waitingBytes < this.#limits.bytes) for (const go of this.#onRoom.splice(0)) go();
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && !this.#isFull; next = this.#waiting[0]) {
      this.#add(next.bytes, next.items); // before its continuation runs, and another looks
      this.#leave(next);
      next.admit();
    }
  }
}
