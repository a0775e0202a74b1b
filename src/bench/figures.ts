/** Figures out of timings. */
import { quantile as quantileOf } from '../lib/bootstrap.ts';

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: number[]): number {
  return quantile(values, 0.5);
}

/** Linear quantile, `share` 0..1. */
export function quantile(values: number[], share: number): number {
  return quantileOf(Float64Array.from(values).sort(), share);
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** Raw RGB pixels of a smooth picture, different for each `seed`. */
export function testPicture(size: number, seed: number): Uint8Array {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0, o = 0; y < size; y++)
    for (let x = 0; x < size; x++, o += 3) {
      const wave = 60 * Math.sin((x + seed * 7) / 23) * Math.cos((y - seed * 5) / 31);
      data[o] = 90 + wave + (80 * y) / size;
      data[o + 1] = 110 + wave / 2 + (60 * x) / size;
      data[o + 2] = 150 - wave;
    }
  return data;
}
