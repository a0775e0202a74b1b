/** What picking by score is worth: of N images of one prompt, keep the one with the best score. */
import { mean } from '../../lib/metrics.ts';
import { groupBy, type Pair } from './pairs.ts';

/** Mean MOS of the image kept out of `n`. */
export interface BestOfN {
  n: number;
  /** Groups behind the figures: the same for every `n`, so that the curve compares like with like. */
  groups: number;
  /** Kept by score. */
  pick: number;
  /** Kept blindly: the mean MOS of these groups. */
  random: number;
  /** Kept by the ratings themselves: no scorer can do better. */
  oracle: number;
  /** Share of the possible gain, `(pick - random) / (oracle - random)`, at most 1; null where nothing can be gained. */
  gain: number | null;
}

/** Enough to see the curve flatten; more makes long tables of the same. */
const MAX_N = 32;
/** Groups differ in size. The curve goes as far as this share of them, and leaves the smaller ones out. */
const LEAST_SHARE = 1 / 3;

/**
 * The curve of N = 1, 2, … The expectation over all choices of `n` images is computed exactly, not drawn.
 *
 * @param keyOf group of a pair, such as its prompt; null leaves it out
 * @returns null when no group has two images
 */
export function bestOfN(pairs: readonly Pair[], keyOf: (pair: Pair) => string | null): BestOfN[] | null {
  const all = [...groupBy(pairs, keyOf).values()].filter((g) => g.length > 1);
  const sizes = all.map((g) => g.length).sort((a, b) => b - a);
  const largest = Math.min(sizes[Math.ceil(sizes.length * LEAST_SHARE) - 1] ?? 0, MAX_N);
  if (largest < 2) return null;
  const groups = all.filter((g) => g.length >= largest);
  const byScore = groups.map(mosByScore);
  const byMos = groups.map((g) => g.map((p) => p.mos).sort((a, b) => b - a));
  const random = mean(byMos.map((g) => mean(g)!))!;
  return Array.from({ length: largest }, (_, i) => {
    const pick = mean(byScore.map((g) => expectedFirst(g, i + 1)))!;
    const oracle = mean(byMos.map((g) => expectedFirst(g, i + 1)))!;
    // at N = 1 all three are the same but for rounding, which is no gain
    const gain = oracle - random > 1e-9 ? (pick - random) / (oracle - random) : null;
    return { n: i + 1, groups: groups.length, pick, random, oracle, gain };
  });
}

/** MOS in descending order of score. Among equal scores the pick is a matter of chance: each counts their mean. */
function mosByScore(group: readonly Pair[]): number[] {
  const sorted = [...group].sort((a, b) => b.score - a.score);
  const ties = groupBy(sorted, (p) => String(p.score));
  return [...ties.values()].flatMap((tied) => tied.map(() => mean(tied.map((p) => p.mos))!));
}

/**
 * Expected value of the first, in the given order, of `n` elements drawn without replacement from `values`:
 * element `i` of `m` comes first with probability C(m-1-i, n-1) / C(m, n), computed here from one to the next.
 */
function expectedFirst(values: readonly number[], n: number): number {
  const m = values.length;
  let probability = n / m;
  let sum = 0;
  for (let i = 0; i <= m - n; i++) {
    sum += probability * values[i]!;
    probability *= (m - i - n) / (m - 1 - i);
  }
  return sum;
}
