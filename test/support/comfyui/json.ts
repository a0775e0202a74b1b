/** JSON as Python's server writes it: bare NaN, and integers of any size. */

interface RawJson {
  rawJSON(text: string): unknown;
}
const { rawJSON } = JSON as unknown as RawJson;

const BARE = 'bare:NaN';

/** Keeps integers beyond 2^53 as raw text, so that they come out as they came in. */
export function parseExact(text: string): unknown {
  const exact = (_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? rawJSON(context.source!)
      : value;
  return JSON.parse(text, exact as (this: unknown, key: string, value: unknown) => unknown);
}

/** NaN comes out as a bare token, which is what Python does and JSON forbids. */
export function writeLoose(value: unknown): string {
  const text = JSON.stringify(value, (_key, v) => (Number.isNaN(v) ? BARE : v));
  return text.replaceAll(`"${BARE}"`, 'NaN');
}
