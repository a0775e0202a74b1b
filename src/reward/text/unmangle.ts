/**
 * Undoes text in UTF-8 that was read in another encoding: `Ã©` to `é`. Guessing is the tables' business: what looks
 * mangled, which encodings are tried, in which order.
 */
import type { Mending } from './mending.ts';

type Encoding = Mending['encodings'][number];
type Swap = (text: string) => string;

const NOT_ASCII = /[^\0-\x7f]/;

/** Whether there are characters together that hardly stand in a text that was read right. */
export const isMangled = (text: string, { bad }: Mending): boolean =>
  NOT_ASCII.test(text) && text.search(bad) >= 0;

/**
 * Undone as often as it was mangled, at most `rounds` times.
 *
 * @param c1 puts what Windows has in the place of the C1 controls
 */
export function unmangled(text: string, tables: Mending, c1: Swap, rounds: number): string {
  let found = text;
  for (let round = 0; round < rounds && isMangled(found, tables); round++) {
    const before = found;
    found = whole(found, tables) ?? parts(found, tables, c1, rounds);
    if (found === before) break;
  }
  return found;
}

/** All of the text, if its characters are the bytes of UTF-8 in one of the encodings. */
function whole(text: string, tables: Mending): string | null {
  for (const encoding of tables.encodings) {
    const bytes = encoded(text, encoding);
    const found = bytes === null ? null : decoded(restored(bytes, encoding, tables));
    if (found !== null) return found;
  }
  return null;
}

/** Only the parts that look like UTF-8; if there are none, at least the C1 controls. */
function parts(text: string, tables: Mending, c1: Swap, rounds: number): string {
  const found = text.replace(tables.mangled, (part) =>
    part.length < text.length ? unmangled(part, tables, c1, rounds) : part,
  );
  return found === text ? c1(text) : found;
}

const BYTES = new WeakMap<Encoding, ReadonlyMap<string, string>>();

/** A byte of each character, written as the letter of its number; null if the encoding lacks one. */
function encoded(text: string, encoding: Encoding): string | null {
  let bytes = BYTES.get(encoding);
  if (!bytes) {
    bytes = new Map(Array.from(encoding.characters, (char, byte) => [char, String.fromCharCode(byte)]));
    BYTES.set(encoding, bytes);
  }
  let found = '';
  for (const char of text) {
    const byte = bytes.get(char);
    if (byte === undefined) return null;
    found += byte;
  }
  return found;
}

/** With the bytes that a later hand took for spaces, and U+FFFD where bytes were lost. */
function restored(bytes: string, encoding: Encoding, { graves, spaced, lossy }: Mending): string {
  let found = bytes;
  if (encoding.spaced && found.search(spaced) >= 0)
    found = found
      .replace(graves, '\xc3\xa0 ')
      .replace(spaced, (sequence) => sequence.replaceAll(' ', '\xa0'));
  return encoding.lossy ? found.replace(lossy, '\xef\xbf\xbd') : found;
}

/** Two surrogates in three bytes each, as CESU-8 has them. */
const SURROGATES = /\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])/g;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of UTF-8 or CESU-8, or of Java's zero, as text; null if they are something else. */
function decoded(bytes: string): string | null {
  const plain = bytes.replaceAll('\xc0\x80', '\0').replace(SURROGATES, (_, ...bits: string[]) => {
    const [a, b, c, d] = bits.slice(0, 4).map((bit) => bit.charCodeAt(0));
    const code = ((a! & 0x0f) << 16) + ((b! & 0x3f) << 10) + ((c! & 0x0f) << 6) + (d! & 0x3f) + 0x1_0000;
    return Buffer.from(String.fromCodePoint(code)).toString('latin1');
  });
  try {
    return UTF8.decode(Buffer.from(plain, 'latin1'));
  } catch {
    return null;
  }
}
