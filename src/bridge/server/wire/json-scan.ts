/**
 * Looks over JSON before it is parsed, reading only what gives it its shape: `JSON.parse` makes whatever is asked for,
 * and 95 MB of small fields stop the event loop for 20 seconds. Long strings are found on the way, so that images in
 * base64 never become JavaScript strings. Whether it is valid JSON is for `JSON.parse` to say.
 */
import { MAX_DEPTH, MAX_TEXT_BYTES, MAX_VALUES } from './shape.ts';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const SPACE = 32;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;

/** Strings from here on are cut out. */
export const LONG_BYTES = 4096;

/** Bytes of a string that are looked at one by one before the rest of it is searched in larger steps. */
const BY_HAND = 32;
const FIRST_LEAP = 256;
const MAX_LEAP = 2 ** 20;

/** Where the contents of a long string stand, without the quotes. */
export interface Cut {
  start: number;
  end: number;
}

export class JsonScan {
  readonly cuts: Cut[] = [];
  values = 1;
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;
  #cutBytes = 0;
  /** Where the open string began; -1 outside of strings. */
  #string = -1;
  #lastWasLong = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Looks at some `count` bytes more. @returns whether that was all; @throws Error saying what there is too much of */
  step(count: number): boolean {
    const end = Math.min(this.#bytes.length, this.#at + count);
    while (this.#at < end) {
      if (this.#string < 0) this.#outside(end);
      else this.#inside();
    }
    const plain = this.#at - this.#cutBytes - (this.#string < 0 ? 0 : this.#at - this.#string);
    if (plain > MAX_TEXT_BYTES) throw new Error(`more than ${MAX_TEXT_BYTES} bytes beside the images`);
    return this.#at >= this.#bytes.length;
  }

  #outside(end: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte <= SPACE) continue;
      if (byte === QUOTE) break;
      this.#shape(byte);
    }
    this.#at = at;
    if (at >= end) return;
    this.#string = at + 1;
    this.#at = at + 1;
  }

  #shape(byte: number): void {
    switch (byte) {
      case COLON:
        if (this.#lastWasLong) throw new Error(`the name of a field has more than ${LONG_BYTES} bytes`);
        this.#count();
        break;
      case OPEN_MAP:
      case OPEN_LIST:
        if (++this.#depth > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
        this.#count();
        break;
      case CLOSE_MAP:
      case CLOSE_LIST:
        this.#depth--;
        break;
      case COMMA:
        this.#lastWasLong = false;
        this.#count();
        break;
    }
  }

  #count(): void {
    if (++this.values > MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
  }

  /** Goes on in a string: a few bytes by hand, as most are short and escapes come in clusters; then in growing leaps. */
  #inside(): void {
    const end = this.#byHand();
    for (let leap = FIRST_LEAP; !end && this.#at < this.#bytes.length; leap = Math.min(2 * leap, MAX_LEAP))
      if (this.#leap(leap)) return;
  }

  /** @returns whether the string ended */
  #byHand(): boolean {
    const bytes = this.#bytes;
    const stop = Math.min(bytes.length, this.#at + BY_HAND);
    for (; this.#at < stop; this.#at++) {
      const byte = bytes[this.#at]!;
      if (byte === BACKSLASH) this.#at++; // whatever follows is no end
      if (byte === QUOTE) {
        this.#close(this.#at);
        return true;
      }
    }
    return false;
  }

  /** Searches the next bytes. @returns whether there was an end or an escape */
  #leap(bytes: number): boolean {
    const part = this.#bytes.subarray(this.#at, this.#at + bytes);
    const quote = part.indexOf(QUOTE);
    const backslash = (quote < 0 ? part : part.subarray(0, quote)).indexOf(BACKSLASH);
    if (backslash >= 0) this.#at += backslash + 2;
    else if (quote >= 0) this.#close(this.#at + quote);
    else this.#at += part.length;
    return backslash >= 0 || quote >= 0;
  }

  #close(at: number): void {
    this.#lastWasLong = at - this.#string >= LONG_BYTES;
    if (this.#lastWasLong) {
      this.cuts.push({ start: this.#string, end: at });
      this.#cutBytes += at - this.#string;
    }
    this.#string = -1;
    this.#at = at + 1;
  }
}
