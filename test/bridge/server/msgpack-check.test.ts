import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { checkMsgpack } from '../../../src/bridge/server/wire/msgpack-check.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** Reproducible numbers 0..1: a linear congruential generator with the constants of Numerical Recipes. */
function* random(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A value of any kind that JSON or binary data can have, in all the lengths that MessagePack tells apart. */
function anyValue(next: () => number, depth: number): unknown {
  const length = Math.floor(next() ** 8 * 70_000);
  const few = Math.floor(next() ** 2 * 20);
  const leaves = [null, true, false, next(), Math.floor(next() * 300) - 150, -(2 ** Math.floor(next() * 50))];
  const kinds: (() => unknown)[] = [
    () => leaves[Math.floor(next() * leaves.length)],
    () => 'ü'.repeat(length),
    () => new Uint8Array(length),
    () => Array.from({ length: few }, () => anyValue(next, depth - 1)),
    () => Object.fromEntries(Array.from({ length: few }, (_, i) => [`key${i}`, anyValue(next, depth - 1)])),
  ];
  return kinds[Math.floor(next() * (depth > 0 ? kinds.length : 3))]!();
}

describe('messages of a real encoder', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: whole ones pass, cut or continued ones do not', (seed) => {
    const numbers = random(seed);
    const next = () => numbers.next().value;
    for (let round = 0; round < 60; round++) {
      const message = packr.pack(anyValue(next, 3));
      expect(() => checkMsgpack(message)).not.toThrow();
      const cut = Math.floor(next() * message.length);
      expect(() => checkMsgpack(message.subarray(0, cut))).toThrow(/cut short/);
      expect(() => checkMsgpack(Buffer.concat([message, Buffer.from([0])]))).toThrow(
        '1 bytes follow the message',
      );
    }
  });

  test.each([100, 40_000, 70_000])('a list of %i', (length) => {
    expect(checkMsgpack(packr.pack(Array.from({ length }, (_, i) => i)))).toBe(length + 1);
  });

  test.each([100, 39_000])('a map of %i', (length) => {
    const fields = Array.from({ length }, (_, i) => [`k${i}`, i]);
    expect(checkMsgpack(packr.pack(Object.fromEntries(fields)))).toBe(2 * length + 1);
  });
});

test('more values than a request can need are refused', () => {
  expect(() => checkMsgpack(packr.pack(Array.from({ length: 80_000 }, () => 0)))).toThrow(
    'more than 80000 values',
  );
});

test('more text than can be unpacked unnoticed is refused; binary of that size is not', () => {
  const size = 33 * 2 ** 20;
  expect(() => checkMsgpack(packr.pack({ image: 'A'.repeat(size) }))).toThrow('bytes of text');
  expect(checkMsgpack(packr.pack({ image: new Uint8Array(size) }))).toBe(3);
});
