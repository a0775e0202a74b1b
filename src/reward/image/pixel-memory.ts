/**
 * Memory for decoded images: many small ones at a time, or few large ones. A part of it is for small ones alone, which
 * so never wait for large ones. Who does not fit in waits, first come first served; what is larger than the whole part
 * comes in when that is empty.
 */
import { orAbort } from '../../lib/abort.ts';

export interface Place {
  /** Waits until there is room for so many bytes. At most once a place. @throws the signal's reason */
  take(bytes: number): Promise<void>;
  /** Gives back what was taken, or stops waiting for it. */
  leave(): void;
  /** Milliseconds that were waited for room. */
  readonly waitedMs: number;
}

interface Guest {
  bytes: number;
  admit: () => void;
}

/** Of the whole: what is for small images alone, and the largest of these. */
const SMALL_PART = 1 / 4;
const SMALL_IMAGE = 1 / 16;

export class PixelMemory {
  readonly #small: Line;
  readonly #large: Line;
  readonly #most: number;

  /** @param size in bytes */
  constructor(size: number) {
    this.#small = new Line(size * SMALL_PART);
    this.#large = new Line(size * (1 - SMALL_PART));
    this.#most = size * SMALL_IMAGE;
  }

  place(signal: AbortSignal): Place {
    let leave = (): void => {};
    let waitedMs = 0;
    return {
      get waitedMs() {
        return waitedMs;
      },
      take: async (bytes) => {
        const start = performance.now();
        const line = bytes <= this.#most ? this.#small : this.#large;
        const { guest, admitted } = line.join(bytes);
        leave = () => line.leave(guest);
        await orAbort(admitted, signal);
        waitedMs = performance.now() - start;
      },
      leave: () => {
        leave();
        leave = () => {};
      },
    };
  }
}

class Line {
  readonly #size: number;
  #free: number;
  readonly #waiting: Guest[] = [];

  constructor(size: number) {
    this.#size = size;
    this.#free = size;
  }

  join(bytes: number): { guest: Guest; admitted: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const guest: Guest = { bytes: Math.min(bytes, this.#size), admit: resolve };
    this.#waiting.push(guest);
    this.#admit();
    return { guest, admitted: promise };
  }

  leave(guest: Guest): void {
    const at = this.#waiting.indexOf(guest);
    if (at >= 0) this.#waiting.splice(at, 1);
    else this.#free += guest.bytes;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.bytes <= this.#free) {
      const guest = this.#waiting.shift()!;
      this.#free -= guest.bytes;
      guest.admit();
    }
  }
}
