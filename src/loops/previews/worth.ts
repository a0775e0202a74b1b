/** Whether a trial is worth going on with, by one of its previews. Pure. */
import { randomFrom } from '../../lib/random.ts';
import type { StudySpec } from '../study/spec.ts';
import type { Trial, TrialState } from '../study/types.ts';
import { gainOver, type Next, nextOf } from '../study/worth.ts';
import type { Point } from './calibration.ts';

/** What the finished image is expected to be worth, by the line through what was measured at that point. */
export function finishedBy({ scores }: Pick<Point, 'scores'>, preview: number): Next {
  const n = scores.length;
  const [x, y] = [0, 1].map((i) => scores.reduce((sum, pair) => sum + pair[i as 0 | 1], 0) / n) as [
    number,
    number,
  ];
  const xx = scores.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  const xy = scores.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  const slope = xx > 0 ? xy / xx : 0;
  const rest = scores.reduce((sum, [a, b]) => sum + (b - y - slope * (a - x)) ** 2, 0);
  const freedom = n - 2;
  const apart = xx > 0 ? (preview - x) ** 2 / xx : 0;
  return {
    middle: y + slope * (preview - x),
    scale: Math.sqrt((rest / freedom) * (1 + 1 / n + apart)),
    freedom,
  };
}

/** What is looked at of a study. */
export interface Standing {
  spec: Pick<StudySpec, 'keep'>;
  /** Values of the finished images so far. */
  finished: readonly number[];
}

/**
 * Whether the rest of the sampling is better spent on this trial than on a fresh one: what either is expected to add to
 * the images that are to be kept, for the work that it takes. As long as there are fewer images than are to be kept, it is.
 *
 * @param share of the work that is done
 */
export function isWorthIt(
  { spec: { keep }, finished }: Standing,
  point: Pick<Point, 'scores'>,
  preview: number,
  share: number,
): boolean {
  if (finished.length < keep) return true;
  const least = finished.toSorted((a, b) => b - a)[keep - 1]!;
  const fresh = nextOf(point.scores.map(([, final]) => final));
  return gainOver(finishedBy(point, preview), least) >= (1 - share) * gainOver(fresh, least);
}

/** Apart from what the strategies draw. */
const KEY = 0x5bd1_e995;

/** Whether a trial goes on whatever its previews say, so that it is known what the others would have come to. */
export function isControl(seed: number, { id }: Pick<Trial, 'id'>, share: number): boolean {
  const n = Number(id.slice(1));
  return randomFrom((seed ^ KEY) + Math.imul(n, 0x9e37_79b1))() < share;
}

/** The preview that says that a trial is not worth going on with. */
export const stopOf = ({ previews }: TrialState) => previews?.find(({ stops }) => stops);
