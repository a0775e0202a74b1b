/**
 * The correlations of `metrics.ts` over weighted images, as statistics for the bootstrap. What does not depend on the
 * weights, the order of the values above all, is worked out once, so that one resample costs O(n).
 */
import type { Statistic } from './bootstrap.ts';
import { ascending } from './metrics.ts';

type Series = ArrayLike<number>;

/** Pearson's correlation where pair `i` counts `w[i]` times. */
export const weightedPlcc =
  (x: Series, y: Series): Statistic =>
  (w) =>
    pearson(x, y, w);

/** Spearman's correlation where pair `i` counts `w[i]` times. */
export function weightedSrcc(x: Series, y: Series): Statistic {
  const placesX = placesOf(x);
  const placesY = placesOf(y);
  const ranksX = new Float64Array(x.length);
  const ranksY = new Float64Array(y.length);
  return (w) => {
    weightedRanks(placesX, w, ranksX);
    weightedRanks(placesY, w, ranksY);
    return pearson(ranksX, ranksY, w);
  };
}

/** Mean of Spearman's correlations inside each group of indexes; groups where it is undefined are left out. */
export function weightedWithin(x: Series, y: Series, groups: readonly Uint32Array[]): Statistic {
  const parts = groups.map((group) => ({
    group,
    weights: new Float64Array(group.length),
    statistic: weightedSrcc(
      Float64Array.from(group, (i) => x[i]!),
      Float64Array.from(group, (i) => y[i]!),
    ),
  }));
  return (w) => {
    const values = parts.map(({ group, weights, statistic }) => {
      for (let k = 0; k < group.length; k++) weights[k] = w[group[k]!]!;
      return statistic(weights);
    });
    const known = values.filter((v) => v !== null);
    return known.length ? known.reduce((a, b) => a + b) / known.length : null;
  };
}

/** The distinct values of a series by size: which of them each element is, and how many there are. */
interface Places {
  at: Uint32Array;
  /** Room for one number per distinct value, used again by every resample. */
  ranks: Float64Array;
}

function placesOf(x: Series): Places {
  const order = ascending(x);
  const at = new Uint32Array(x.length);
  let place = 0;
  for (let k = 1; k < order.length; k++) {
    if (x[order[k]!] !== x[order[k - 1]!]) place++;
    at[order[k]!] = place;
  }
  return { at, ranks: new Float64Array(place + 1) };
}

/** Mean ranks when element `i` is repeated `w[i]` times. */
function weightedRanks({ at, ranks }: Places, w: Float64Array, out: Float64Array): void {
  ranks.fill(0);
  for (let i = 0; i < at.length; i++) ranks[at[i]!]! += w[i]!;
  let below = 0;
  for (let p = 0; p < ranks.length; p++) {
    const here = ranks[p]!;
    ranks[p] = below + (here + 1) / 2;
    below += here;
  }
  for (let i = 0; i < at.length; i++) out[i] = ranks[at[i]!]!;
}

/** Below this share of the squared mean a variance is rounding noise of a constant series. */
const NO_VARIANCE = 1e-20;

function pearson(x: Series, y: Series, w: Float64Array): number | null {
  let n = 0;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < w.length; i++) {
    n += w[i]!;
    meanX += w[i]! * x[i]!;
    meanY += w[i]! * y[i]!;
  }
  meanX /= n;
  meanY /= n;
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < w.length; i++) {
    const dx = x[i]! - meanX;
    const dy = y[i]! - meanY;
    xx += w[i]! * dx * dx;
    yy += w[i]! * dy * dy;
    xy += w[i]! * dx * dy;
  }
  const constant = !(xx > NO_VARIANCE * n * meanX ** 2 && yy > NO_VARIANCE * n * meanY ** 2);
  return constant ? null : xy / Math.sqrt(xx * yy);
}
