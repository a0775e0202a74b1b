/** Bytes that arrive in chunks, put together as they come: joining them at the end would stop everything else. */

/** Bytes set aside at first, where more are announced. */
const FIRST_BYTES = 2 ** 20;
/** How much larger each further place is: the copies stay small, and what is not written to costs no memory. */
const GROWTH = 4;

export class Sink {
  readonly #expected: number;
  #whole: Buffer | null = null;
  #length = 0;

  /** @param expectedBytes as announced, believed only little by little; Infinity when nothing is known */
  constructor(expectedBytes = Number.POSITIVE_INFINITY) {
    this.#expected = expectedBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies the chunk, unless it is the whole. */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length === this.#expected && this.#whole === null) this.#whole = chunk;
    else this.#place(length).set(chunk, this.#length);
    this.#length = length;
  }

  take(): Buffer {
    return (this.#whole ?? Buffer.alloc(0)).subarray(0, this.#length);
  }

  #place(length: number): Buffer {
    if (this.#whole && length <= this.#whole.length) return this.#whole;
    const wanted = this.#expected === Number.POSITIVE_INFINITY ? GROWTH * length : this.#expected;
    const larger = Buffer.allocUnsafeSlow(
      Math.max(length, Math.min(wanted, Math.max(FIRST_BYTES, GROWTH * length))),
    );
    this.#whole?.copy(larger, 0, 0, this.#length);
    this.#whole = larger;
    return larger;
  }
}
