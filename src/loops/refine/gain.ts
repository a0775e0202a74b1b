/** How much better one prompt is than another on the same seeds, and how sure that is. Pure. */
import { above } from '../study/student.ts';

/** Of the interval that is told, and that a claim rests on. */
export const LEVEL = 0.95;
/** Fewer pairs claim nothing. */
export const LEAST_PAIRS = 6;

export interface Gain {
  /** Mean difference, in the unit of the measure. */
  mean: number;
  /** 95 % interval of it, by Student's t. */
  interval: [number, number];
  pairs: number;
}

/** Values of one prompt by seed; null: made, and without a value. */
export type Values = ReadonlyMap<number, number | null>;

/** Differences on the seeds where both have a value. */
export function differences(values: Values, base: Values): number[] {
  return [...values].flatMap(([seed, value]) => {
    const other = base.get(seed);
    return value === null || other === null || other === undefined ? [] : [value - other];
  });
}

export const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, x) => sum + x, 0) / numbers.length;

/** Of the mean; infinite for fewer than two. */
export function standardError(numbers: readonly number[]): number {
  if (numbers.length < 2) return Number.POSITIVE_INFINITY;
  const middle = mean(numbers);
  const squares = numbers.reduce((sum, x) => sum + (x - middle) ** 2, 0);
  return Math.sqrt(squares / (numbers.length - 1) / numbers.length);
}

/** The t that is exceeded with probability `tail`, 0..0.5. */
function quantile(tail: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (above(high, freedom) > tail) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (above(middle, freedom) > tail) low = middle;
    else high = middle;
  }
  return high;
}

/** @returns null for fewer than two pairs */
export function gainOf(found: readonly number[]): Gain | null {
  if (found.length < 2) return null;
  const middle = mean(found);
  const half = quantile((1 - LEVEL) / 2, found.length - 1) * standardError(found);
  return { mean: middle, interval: [middle - half, middle + half], pairs: found.length };
}

/** Less is a matter of rounding. */
const TINY = 1e-6;

/** `0.31 (0.12 to 0.50)`: with as many digits as the interval deserves, and so many that its ends are not zero. */
export function gainText({ mean: middle, interval: [low, high] }: Gain): string {
  const least = Math.min(...[high - low, Math.abs(low), Math.abs(high)].filter((x) => x > TINY), 1);
  const digits = Math.min(6, Math.max(2, Math.ceil(-Math.log10(least))));
  const text = (x: number) => x.toFixed(digits).replace(/^-(0\.?0*)$/, '$1');
  return `${text(middle)} (${text(low)} to ${text(high)})`;
}
