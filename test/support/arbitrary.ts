/** Values for property-based tests, and what may come of them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { LongText } from '../../src/bridge/server/wire/long-text.ts';
import { AssayError } from '../../src/errors/error.ts';

export const bytes = (maxLength = 300) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Names that reach beyond an object where they are taken carelessly. */
export const key = fc.oneof(
  { arbitrary: fc.string({ maxLength: 8 }), weight: 4 },
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'items', 'image', 'data', 'id'),
);
export const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.constant(null),
);
/** @param more leaves beside those of JSON */
export const anyOf = (...more: fc.Arbitrary<unknown>[]) =>
  fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, ...more, fc.array(tie('value')), tie('map')),
    map: fc.dictionary(key, tie('value')).map((map) => ({ ...map })),
  })).value;

/** Bits turned, an end cut off, a part doubled. */
export const spoilt = (whole: fc.Arbitrary<Buffer>) =>
  fc
    .tuple(whole, fc.array(fc.tuple(fc.nat(), fc.nat(7)), { maxLength: 4 }), fc.nat(), fc.nat(2))
    .map(([good, flips, at, how]) => {
      const copy = Buffer.from(good);
      for (const [place, bit] of flips) if (copy.length > 0) copy[place % copy.length]! ^= 1 << bit;
      const cut = copy.subarray(0, at % (copy.length + 1));
      return [copy, cut, Buffer.concat([copy, cut])][how]!;
    });

/** What the work gives, or the code of what it throws. Anything but a coded error fails the test. */
export async function outcome<T>(work: () => T | Promise<T>): Promise<{ value: T } | { code: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    expect(error.kind).not.toBe('internal');
    return { code: error.code };
  }
}

/** No object of a message has another prototype than the usual one, and that one is as it was. */
export function isPlain(value: unknown): boolean {
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return true;
  if (value instanceof LongText) return true;
  const prototype = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === Array.prototype) && Object.values(value).every(isPlain)
  );
}
