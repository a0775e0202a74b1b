/** JSON as a Python host writes it: bare NaN and Infinity, and integers that a double cannot hold. */

interface RawJson {
  rawJSON(text: string): unknown;
}
const { rawJSON } = JSON as unknown as RawJson;

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;

const BARE = /-?\b(?:NaN|Infinity)\b/g;
const INTEGER = /^-?\d+$/;
/** Fewer digits than 2^53 has; a text without such a run needs no reviver, which is slow. */
const LONG_NUMBER = /\d{16}/;

/** Integers beyond 2^53 come out as bigint. */
const exact: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
    ? BigInt(source)
    : value;

/**
 * Reads the JSON of a host. Bare NaN and Infinity become null, integers beyond 2^53 become bigint.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  try {
    return parseExact(text);
  } catch (error) {
    const repaired = withoutBareNumbers(text);
    if (repaired === text) throw error;
    return parseExact(repaired);
  }
}

/** As `parseJson`, for what is only read: long integers lose their last digits, and it takes a fifth of the time. */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/\b(?:NaN|Infinity)\b/.test(text)) throw error;
    return JSON.parse(withoutBareNumbers(text));
  }
}

/** Whether a text has more values than that, as its commas and brackets tell; cheap, before it is parsed. */
export function hasMoreValues(text: string, most: number): boolean {
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // comma, [, {, "
    if (code === 44 || code === 91 || code === 123 || code === 34) values++;
    if (values > most) return true;
  }
  return false;
}

/** The inverse: bigint is written as the integer it is. */
export const writeJson = (value: unknown): string =>
  JSON.stringify(value, (_key, v) => (typeof v === 'bigint' ? rawJSON(v.toString()) : v));

const parseExact = (text: string): unknown =>
  LONG_NUMBER.test(text)
    ? JSON.parse(text, exact as (this: unknown, k: string, v: unknown) => unknown)
    : JSON.parse(text);

/** Replaces bare tokens outside of strings. */
function withoutBareNumbers(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf('"', at);
    const gap = text.slice(at, open < 0 ? undefined : open);
    parts.push(gap.replace(BARE, 'null'));
    if (open < 0) break;
    at = endOfString(text, open);
    parts.push(text.slice(open, at));
  }
  return parts.join('');
}

/** Position after the closing quote of the string that opens at `open`; the end of the text when it never closes. */
function endOfString(text: string, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
