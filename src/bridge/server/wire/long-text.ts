/** A long string of a JSON body that was not made a string: mostly an image in base64. */

export class LongText {
  /** What stood between the quotes, escapes and all. */
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** Bytes of the longest escape, `\uXXXX`. */
const ESCAPE_BYTES = 6;

/** The text in pieces of about `size` characters. Anything but ASCII comes out as other characters: no base64 has it. */
export function* piecesOf({ bytes }: LongText, size: number): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(bytes.length, at + size);
    const isLast = end === bytes.length;
    const backslash = isLast ? -1 : bytes.subarray(end - ESCAPE_BYTES, end).indexOf('\\');
    if (backslash >= 0) end += backslash - ESCAPE_BYTES; // not through the middle of an escape
    const text = bytes.toString('latin1', at, end);
    yield text.includes('\\') ? unescaped(text) : text;
    at = end;
  }
}

/** @throws what `JSON.parse` throws for an escape that is none */
const unescaped = (text: string): string => JSON.parse(`"${text}"`) as string;
