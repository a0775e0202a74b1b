/** As many images at once as make a GPU faster. */
import { expect, it } from 'vitest';
import { sizeThatPays } from '../../../src/reward/graph/batch-size.ts';

const found = (most: number, ms: (size: number) => number) => sizeThatPays(most, async (size) => ms(size));

it('grows while images get cheaper, and up to what the manifest allows', async () => {
  const overhead = (size: number) => 10 + size;
  expect(await found(64, overhead)).toBe(64);
  expect(await found(12, overhead)).toBe(8);
  expect(await found(64, (size) => 10 * size)).toBe(1);
  expect(await found(64, (size) => 10 * Math.max(size, 4))).toBe(4);
});

it('stops at runs that are long, and at sizes that do not fit into the memory', async () => {
  expect(await found(64, (size) => 300 + size)).toBe(1);
  const full = (size: number) => {
    if (size > 8) throw new Error('out of memory');
    return 10 + size;
  };
  expect(await sizeThatPays(64, async (size) => full(size))).toBe(8);
});
