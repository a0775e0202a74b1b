/** Predictions beside ratings: what all figures are computed from. */
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import type { GuardFinding } from '../../types/guard.ts';
import type { ItemError, ScoreResult } from '../../types/result.ts';
import type { Rating } from '../ratings/ratings.ts';
import { type Range, rescale } from './scale.ts';

/** One row of the ratings file and what became of its image: a result without error, or the error. */
export type Outcome =
  | { rating: Rating; result: ScoreResult; error: null }
  | { rating: Rating; result: null; error: ItemError };

/** One image with both a score and a rating of one aspect. */
export interface Pair {
  name: string;
  prompt: string | null;
  generator: string | null;
  score: number;
  /** Prediction interval for the MOS; the score alone where the scorer is not calibrated. */
  interval: [number, number];
  /** Mean opinion score: in the scorer's scale where it could be brought there, else in the file's. */
  mos: number;
  guards: GuardFinding[];
}

/** The score of an image; null when it has none, or one that is not a number. */
export function prediction({ result }: Outcome, aspect: Aspect): AspectScore | null {
  const score = result?.aspects?.[aspect];
  return score && [score.score, ...(score.interval ?? [])].every(Number.isFinite) ? score : null;
}

/** Aspects with at least one score. */
export const predicted = (outcomes: readonly Outcome[]): Aspect[] =>
  ASPECTS.filter((a) => outcomes.some((o) => prediction(o, a) !== null));

/**
 * Pairs the ratings of one aspect with the scores of the same or another.
 *
 * @param from the ratings' own range when they are to be mapped to the scorer's
 */
export function pairUp(
  outcomes: readonly Outcome[],
  rated: Aspect,
  scored: Aspect,
  from: Range | null,
): Pair[] {
  return outcomes.flatMap((outcome) => {
    const predictedScore = prediction(outcome, scored);
    const mos = outcome.rating.mos[rated];
    if (!predictedScore || mos === undefined) return [];
    const { name, prompt, generator } = outcome.rating;
    const { score, range } = predictedScore;
    const interval = predictedScore.interval ?? [score, score];
    const guards = outcome.result?.guards ?? [];
    return [
      { name, prompt, generator, score, interval, mos: from ? rescale(mos, from, range) : mos, guards },
    ];
  });
}

/** Items by key in order of first appearance; those without a key are left out. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | null): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Generators of one family share the name up to the first underscore: `sd1.5_lowstep` is of `sd1.5`. */
export const familyOf = (generator: string): string => generator.split('_')[0] || generator;
