/** How far a figure could move with another draw of prompts or images: the percentile bootstrap, seeded. */

import { randomFrom } from './random.ts';

/** A figure of the weighted images: weight `w[i]` says how many times image `i` is in the set. Null when undefined. */
export type Statistic = (weights: Float64Array) => number | null;

/** Lower and upper end of a 95 % interval. */
export type Interval = [number, number];

export const LEVEL = 0.95;
export const RESAMPLES = 1000;
const SEED = 20_231;
/** With fewer clusters the resamples repeat a handful of prompts, and the interval would be far too narrow. */
export const LEAST_CLUSTERS = 10;

/** Numbers the distinct keys of a series from 0, in order of first appearance. */
export function clusterIds(keys: readonly unknown[]): Uint32Array {
  const ids = new Map<unknown, number>();
  return Uint32Array.from(keys, (k) => {
    if (!ids.has(k)) ids.set(k, ids.size);
    return ids.get(k)!;
  });
}

/** The value below which the share `q` (0..1) of ascending values lies, interpolated between neighbours. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const rest = at - low;
  return sorted[low]! * (1 - rest) + sorted[Math.min(low + 1, sorted.length - 1)]! * rest;
}

/**
 * 95 % bootstrap intervals: whole clusters are drawn with replacement, as often as there are clusters, and every
 * statistic is computed on the images drawn. All statistics see the same draws.
 *
 * @param clusters cluster of each image: its prompt, since images of one prompt are not independent, or the image
 * @returns one interval per statistic; null when it is undefined in a tenth of the draws or there are too few clusters
 * @see B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13
 */
export function bootstrap(clusters: Uint32Array, statistics: readonly Statistic[]): (Interval | null)[] {
  const count = new Set(clusters).size;
  if (count < LEAST_CLUSTERS) return statistics.map(() => null);
  const random = randomFrom(SEED);
  const values: number[][] = statistics.map(() => []);
  const drawn = new Float64Array(count);
  const weights = new Float64Array(clusters.length);
  for (let r = 0; r < RESAMPLES; r++) {
    drawn.fill(0);
    for (let c = 0; c < count; c++) drawn[Math.floor(random() * count)]! += 1;
    for (let i = 0; i < weights.length; i++) weights[i] = drawn[clusters[i]!]!;
    for (const [s, statistic] of statistics.entries()) {
      const value = statistic(weights);
      if (value !== null) values[s]!.push(value);
    }
  }
  return values.map(intervalOf);
}

function intervalOf(values: number[]): Interval | null {
  if (values.length < 0.9 * RESAMPLES) return null;
  const sorted = Float64Array.from(values).sort();
  const tail = (1 - LEVEL) / 2;
  return [quantile(sorted, tail), quantile(sorted, 1 - tail)];
}
