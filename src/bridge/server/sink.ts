/**
 * Bytes that arrive in chunks, put together as they come: joining them at the end would double them, and stop
 * everything else meanwhile.
 */
import { turn } from '../../lib/turn.ts';

/** Bytes set aside at first for a sender that has filled a read of the socket: an image of 1024² needs no move. */
const FIRST_BYTES = 2 ** 22;
const FIRST_GROWTH = 64;
/** How much larger each further place is: little is moved, and what is not written to costs no memory. */
const GROWTH = 4;
/** Bytes moved between two looks at the clock. */
const MOVE_BYTES = 2 ** 20;

export class Sink {
  readonly #expected: number;
  #whole: Buffer = Buffer.alloc(0);
  #length = 0;

  /** @param expectedBytes as announced, believed only little by little; Infinity when nothing is known */
  constructor(expectedBytes = Number.POSITIVE_INFINITY) {
    this.#expected = expectedBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes a copy of the chunk, or the chunk itself when it is the whole. The next may come when the promise settles. */
  add(chunk: Buffer): Promise<void> | undefined {
    const length = this.#length + chunk.length;
    if (length > this.#whole.length) {
      if (length === chunk.length && length === this.#expected) this.#whole = chunk;
      else if (this.#length > MOVE_BYTES) return this.#moveAndAdd(chunk);
      else this.#grow(length);
    }
    this.#append(chunk);
    return undefined;
  }

  take(): Buffer {
    return this.#whole.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const larger = this.#place(length);
    this.#whole.copy(larger, 0, 0, this.#length);
    this.#whole = larger;
  }

  #append(chunk: Buffer): void {
    if (this.#whole !== chunk) this.#whole.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  /** A larger place for `length` bytes. @throws RangeError when there is no memory */
  #place(length: number): Buffer {
    const most = this.#expected === Number.POSITIVE_INFINITY ? GROWTH * length : this.#expected;
    const first = Math.min(FIRST_BYTES, FIRST_GROWTH * length);
    return Buffer.allocUnsafeSlow(Math.max(length, Math.min(most, Math.max(first, GROWTH * length))));
  }

  async #moveAndAdd(chunk: Buffer): Promise<void> {
    const larger = this.#place(this.#length + chunk.length);
    for (let at = 0; at < this.#length; at += MOVE_BYTES) {
      this.#whole.copy(larger, at, at, Math.min(this.#length, at + MOVE_BYTES));
      if (turn.isLong) await turn.next();
    }
    this.#whole = larger;
    this.#append(chunk);
  }
}
