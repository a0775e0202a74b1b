/** Step 1, receive: images in base64, standard or URL-safe, with or without padding and line breaks, bare or as `data:` URL. */
import { type AssayError, fail, reasonOf } from '../../errors.ts';
import { turn } from '../../turn.ts';
import { type LongText, piecesOf } from './long-text.ts';

/** Characters decoded between two looks at the clock. */
const PIECE = 2 ** 16;

const notBase64 = (reason: string): AssayError => fail('IMAGE_ENCODING', { reason });

/** @throws IMAGE_ENCODING; BAD_REQUEST for an http(s) URL, which is never fetched */
export function decodeBase64(text: string): Buffer {
  const decoder = new Base64(text.length);
  decoder.add(text, true);
  return decoder.take();
}

/** The same for a long one, in slices. */
export async function decodeLongBase64(text: LongText): Promise<Buffer> {
  const decoder = new Base64(text.bytes.length);
  try {
    if (turn.isLong) await turn.next(); // of hundreds that fail in their first piece, too
    for (const piece of piecesOf(text, PIECE)) {
      decoder.add(piece, false);
      if (turn.isLong) await turn.next();
    }
  } catch (error) {
    throw error instanceof SyntaxError ? notBase64(reasonOf(error)) : error;
  }
  decoder.add('', true);
  return decoder.take();
}

class Base64 {
  readonly #bytes: Buffer;
  #length = 0;
  /** Characters before this piece, for messages. */
  #before = 0;
  /** Up to three digits that wait for their fourth. */
  #rest = '';
  #isStart = true;
  #isPadded = false;

  /** @param size characters in all, or more */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.ceil((size * 3) / 4) + 3);
  }

  add(piece: string, isLast: boolean): void {
    const body = this.#isStart && piece !== '' ? withoutPrefix(piece) : piece;
    this.#isStart &&= piece === '';
    const text = this.#rest + body;
    const start = this.#before + piece.length - text.length;
    this.#rest = '';
    if (!this.#decode(text, isLast)) {
      checkDigits(text, start);
      if (!this.#decode(text.replace(/\s+/g, ''), isLast))
        throw notBase64('it is cut short or padded wrongly');
    }
    this.#before += piece.length;
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Node skips what is not base64, so a slip shows as a shorter result; no second pass over megabytes is needed. */
  #decode(text: string, isLast: boolean): boolean {
    const whole = isLast ? text : text.slice(0, text.length & ~3);
    const padding = whole.endsWith('==') ? 2 : whole.endsWith('=') ? 1 : 0;
    const digits = whole.length - padding;
    if (whole.length > 0 && this.#isPadded) return false;
    const expected = Math.floor((digits * 3) / 4);
    if (digits % 4 === 1 || this.#bytes.write(whole, this.#length, 'base64') !== expected) return false;
    this.#length += expected;
    this.#isPadded ||= padding > 0;
    this.#rest = text.slice(whole.length);
    return true;
  }
}

/** @param start index of the text's first character in the whole, for the message */
function checkDigits(text: string, start: number): void {
  const odd = /[^A-Za-z0-9+/_=\s-]/.exec(text);
  if (odd) throw notBase64(`character ${JSON.stringify(odd[0])} at ${start + odd.index}`);
}

function withoutPrefix(text: string): string {
  if (/^https?:/i.test(text))
    throw fail('BAD_REQUEST', { reason: 'image is a URL, and URLs are never fetched; send the bytes' });
  if (!text.startsWith('data:')) return text;
  const comma = text.indexOf(',');
  if (comma < 0 || !/;base64$/i.test(text.slice(0, comma)))
    throw notBase64('the data: URL has no ";base64," part');
  return text.slice(comma + 1);
}
