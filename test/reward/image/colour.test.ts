import { expect, test } from 'vitest';
import { colourOf } from '../../../src/reward/image/colour.ts';
import { flat } from '../../support/images.ts';

test.each([
  [[0, 0, 0], 0, 0],
  [[128, 128, 128], 0, 0],
  // red less green is 255, their mean less blue 127.5
  [[255, 0, 0], 1, 0.3 * Math.hypot(255, 127.5)],
  [[200, 100, 100], 0.5, 0.3 * Math.hypot(100, 50)],
] as const)('%j all over has saturation %d and colourfulness %d', (colour, saturation, colourfulness) => {
  const found = colourOf(flat([...colour]));
  expect([found.saturation, found.colourfulness]).toEqual([
    expect.closeTo(saturation),
    expect.closeTo(colourfulness),
  ]);
});

test('what differs from place to place is more colourful than its mean', () => {
  const { data, width, height } = flat([255, 0, 0]);
  for (let o = 0; o < data.length; o += 3) if (o % (3 * width) >= 1.5 * width) data.set([0, 0, 255], o);
  // half red, half blue: yellow less blue is 127.5 or -255, red less green 255 or 0
  const expected = Math.hypot(191.25, 127.5) + 0.3 * Math.hypot(63.75, 127.5);
  expect(colourOf({ data, width, height })).toEqual({
    saturation: 1,
    colourfulness: expect.closeTo(expected),
  });
});
