/** `--sort` and `--top`: which results come first, and how many are shown. */
import type { ScoreResult } from '../../types/result.ts';
import type { Sort } from '../input/flags.ts';
import { inNaturalOrder } from '../input/images.ts';

const nameOf = (result: ScoreResult): string => result.source ?? result.id;

function scoreOf(result: ScoreResult, sort: Exclude<Sort, 'name'>): number | null {
  if (sort === 'reward') return result.reward;
  // The score of an image that tripped a guard means nothing.
  return result.guards.length > 0 ? null : (result.aspects?.[sort]?.score ?? null);
}

/** Best first; what has no such score comes last, what failed after that; equals by name. */
export function comparing(sort: Sort): (a: ScoreResult, b: ScoreResult) => number {
  const byName = (a: ScoreResult, b: ScoreResult) => inNaturalOrder(nameOf(a), nameOf(b));
  if (sort === 'name') return byName;
  const key = (r: ScoreResult) =>
    scoreOf(r, sort) ?? (r.error ? Number.NEGATIVE_INFINITY : -Number.MAX_VALUE);
  return (a, b) => (key(a) === key(b) ? byName(a, b) : key(b) - key(a));
}

/** Takes results in any order and gives them back in one. */
export interface Ranking {
  add(result: ScoreResult): void;
  /** The best, best first. */
  best(): ScoreResult[];
}

/** @param top how many are kept; all of them when absent */
export function ranking(sort: Sort, top = Number.POSITIVE_INFINITY): Ranking {
  const compare = comparing(sort);
  let kept: ScoreResult[] = [];
  const cut = () => {
    kept.sort(compare);
    kept = kept.slice(0, top);
  };
  return {
    add(result) {
      kept.push(result);
      // Now and then is enough to stay small.
      if (kept.length > 2 * top + 100) cut();
    },
    best() {
      cut();
      return kept;
    },
  };
}
