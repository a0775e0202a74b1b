/** How a study went: what the best image was after each one, and what stopping there would have cost. Pure. */
import { workOf } from './pick.ts';
import type { Study } from './study.ts';
import type { Trial } from './types.ts';

/** After one trial more. */
export interface Point {
  trial: Trial;
  /** Work so far, in whole images. */
  work: number;
  /** Value of this trial's best image by the pick; null when it has none. */
  value: number | null;
  /** Best value so far; null while there is none. */
  best: number | null;
  /** Mean value of as many best images so far as are to be kept; null while there are fewer. */
  kept: number | null;
}

/** In the order in which the trials were asked for, those that failed left out. Drafts and what was stopped early cost, and are not kept. */
export function courseOf(study: Study): Point[] {
  const values = new Map<string, number[]>();
  for (const { trial, value } of study.ranking())
    values.set(trial.id, [...(values.get(trial.id) ?? []), value]);
  const points: Point[] = [];
  const kept: number[] = [];
  let work = 0;
  for (const state of study.trials) {
    const { trial, outcome } = state;
    if (!outcome || 'failed' in outcome) continue;
    const own = values.get(trial.id) ?? [];
    work += workOf(state);
    kept.push(...own);
    kept.sort((a, b) => b - a).splice(study.spec.keep);
    points.push({
      trial,
      work,
      value: own.length > 0 ? Math.max(...own) : null,
      best: kept[0] ?? null,
      kept: kept.length === study.spec.keep ? kept.reduce((a, b) => a + b, 0) / kept.length : null,
    });
  }
  return points;
}

/** A row of the table of earlier stops. */
export interface EarlierStop {
  point: Point;
  /** What the kept images would have been worth less, in units of the pick. */
  loss: number;
  /** Share of the work that it would have spared, 0..1. */
  spared: number;
}

/** Stops after an eighth, a quarter, half and three quarters of the work, and where nothing would have been lost. */
export function earlierStops(points: readonly Point[]): EarlierStop[] {
  const last = points.at(-1);
  if (!last || last.kept === null) return [];
  const whole = points.filter((point) => point.kept !== null);
  const enough = whole.find(({ kept }) => kept! >= last.kept!);
  const wanted = [0.125, 0.25, 0.5, 0.75].map((share) =>
    whole.findLast(({ work }) => work <= share * last.work),
  );
  const stops = [...new Set([...wanted, enough])].filter((point) => point !== undefined && point !== last);
  return stops
    .toSorted((a, b) => a!.work - b!.work)
    .map((point) => ({
      point: point!,
      loss: last.kept! - point!.kept!,
      spared: 1 - point!.work / last.work,
    }));
}
