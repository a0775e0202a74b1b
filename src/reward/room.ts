/**
 * Memory for decoded images: many small ones at a time, or few large ones. Who does not fit in waits, first come first
 * served; what is larger than the whole room comes in when it is empty.
 */
import { orAbort } from '../abort.ts';

export interface Place {
  /** Waits until there is room for so many bytes. At most once a place. @throws the signal's reason */
  take(bytes: number): Promise<void>;
  /** Gives back what was taken, or stops waiting for it. */
  leave(): void;
}

interface Guest {
  bytes: number;
  admit: () => void;
}

export class Room {
  readonly #size: number;
  #free: number;
  readonly #waiting: Guest[] = [];

  /** @param size in bytes */
  constructor(size: number) {
    this.#size = size;
    this.#free = size;
  }

  place(signal: AbortSignal): Place {
    let leave = (): void => {};
    return {
      take: async (bytes) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const guest: Guest = { bytes: Math.min(bytes, this.#size), admit: resolve };
        leave = () => this.#leave(guest);
        this.#waiting.push(guest);
        this.#admit();
        await orAbort(promise, signal);
      },
      leave: () => {
        leave();
        leave = () => {};
      },
    };
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.bytes <= this.#free) {
      const guest = this.#waiting.shift()!;
      this.#free -= guest.bytes;
      guest.admit();
    }
  }

  #leave(guest: Guest): void {
    const at = this.#waiting.indexOf(guest);
    if (at >= 0) this.#waiting.splice(at, 1);
    else this.#free += guest.bytes;
    this.#admit();
  }
}
