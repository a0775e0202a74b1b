/**
 * Agreement between predictions and mean opinion scores, as the image quality literature reports it.
 * All functions take two series of equal length, paired by index, of finite numbers.
 */

type Series = ArrayLike<number>;

/** Correlation is undefined for a series that never varies; rounding in a computed variance must not hide that. */
const isConstant = (x: Series): boolean => {
  for (let i = 1; i < x.length; i++) if (x[i] !== x[0]) return false;
  return true;
};

const clamp = (r: number): number => Math.max(-1, Math.min(1, r));

/** Indexes of `x` in ascending order of its values. */
export const ascending = (x: Series): Uint32Array =>
  Uint32Array.from({ length: x.length }, (_, i) => i).sort((a, b) => x[a]! - x[b]!);

/** Ranks from 1, lowest value first; equal values share the mean of their places. */
export function ranks(x: Series): Float64Array {
  const order = ascending(x);
  const out = new Float64Array(x.length);
  for (let start = 0, end: number; start < order.length; start = end) {
    end = start + 1;
    while (end < order.length && x[order[end]!] === x[order[start]!]) end++;
    for (let i = start; i < end; i++) out[order[i]!] = (start + 1 + end) / 2;
  }
  return out;
}

/** Arithmetic mean; null for an empty series. */
export function mean(x: Series): number | null {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]!;
  return x.length ? sum / x.length : null;
}

/**
 * Pearson's linear correlation coefficient, -1..1, of the values as they are. Many papers first fit a logistic curve
 * from prediction to MOS (VQEG, 2000) and so report higher figures; here no curve is fitted.
 *
 * @returns null when a series is constant or has fewer than two values
 * @see K. Pearson, "Notes on regression and inheritance in the case of two parents", Proc. R. Soc. 58, 1895
 */
export function plcc(x: Series, y: Series): number | null {
  if (isConstant(x) || isConstant(y)) return null;
  const meanX = mean(x)!;
  const meanY = mean(y)!;
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i]! - meanX;
    const dy = y[i]! - meanY;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return clamp(xy / Math.sqrt(xx * yy));
}

/**
 * Spearman's rank correlation coefficient, -1..1: Pearson's of the ranks, equal values sharing their mean rank.
 *
 * @returns null when a series is constant or has fewer than two values
 * @see C. Spearman, "The proof and measurement of association between two things", Am. J. Psychol. 15, 1904
 */
export const srcc = (x: Series, y: Series): number | null => plcc(ranks(x), ranks(y));

/**
 * Kendall's rank correlation coefficient tau-b, -1..1: of the pairs of images that differ in both series, how many
 * more are ordered alike than unlike, corrected for ties. O(n log n) by counting the exchanges of a merge sort.
 *
 * @returns null when a series is constant or has fewer than two values
 * @see M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945
 * @see W. R. Knight, "A computer method for calculating Kendall's tau with ungrouped data", JASA 61, 1966
 */
export function krcc(x: Series, y: Series): number | null {
  if (isConstant(x) || isConstant(y)) return null;
  const order = Array.from({ length: x.length }, (_, i) => i);
  order.sort((a, b) => x[a]! - x[b]! || y[a]! - y[b]!);
  const sortedY = Float64Array.from(order, (i) => y[i]!);
  const tiedBoth = tiedPairs(order, (a, b) => x[a] === x[b] && y[a] === y[b]);
  const tiedX = tiedPairs(order, (a, b) => x[a] === x[b]);
  const exchanges = sortCountingExchanges(sortedY, new Float64Array(sortedY.length), 0, sortedY.length);
  const tiedY = tiedPairs(sortedY, (a, b) => a === b);
  const pairs = (x.length * (x.length - 1)) / 2;
  const balance = pairs - tiedX - tiedY + tiedBoth - 2 * exchanges;
  return clamp(balance / Math.sqrt((pairs - tiedX) * (pairs - tiedY)));
}

/** Pairs inside the runs of equal neighbours. */
function tiedPairs(sorted: Series, equal: (a: number, b: number) => boolean): number {
  let pairs = 0;
  let run = 1;
  for (let i = 1; i < sorted.length; i++) {
    run = equal(sorted[i - 1]!, sorted[i]!) ? run + 1 : 1;
    pairs += run - 1;
  }
  return pairs;
}

/** Sorts `y[from, to)` in place by merging and counts how many pairs stood in descending order. */
function sortCountingExchanges(y: Float64Array, spare: Float64Array, from: number, to: number): number {
  if (to - from < 2) return 0;
  const middle = (from + to) >> 1;
  let count = sortCountingExchanges(y, spare, from, middle) + sortCountingExchanges(y, spare, middle, to);
  let left = from;
  let right = middle;
  for (let i = from; i < to; i++) {
    const takeLeft = left < middle && (right >= to || y[left]! <= y[right]!);
    if (!takeLeft) count += middle - left;
    spare[i] = takeLeft ? y[left++]! : y[right++]!;
  }
  y.set(spare.subarray(from, to), from);
  return count;
}

/** Root of the mean squared difference, in the unit of the series, 0 or more; null for empty series. */
export function rmse(x: Series, y: Series): number | null {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return x.length ? Math.sqrt(sum / x.length) : null;
}
