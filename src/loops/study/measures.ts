/** What a scorer says, as the measures that a study picks by: `reward`, `quality`, `other-scorer.alignment`. Pure. */
import { ASPECTS } from '../../types/aspect.ts';
import type { ScoreResult } from '../../types/result.ts';

/** A name of a measure: the scorer that gives it, if it is not the default one, and what of it. */
const partsOf = (measure: string): [scorer: string | undefined, of: string] => {
  const dot = measure.lastIndexOf('.');
  return dot < 0 ? [undefined, measure] : [measure.slice(0, dot), measure.slice(dot + 1)];
};

/** The scorers that the picks name; undefined, the first, is the default one. */
export const scorersOf = (pick: readonly string[]): (string | undefined)[] => [
  ...new Set([undefined, ...pick.map((measure) => partsOf(measure)[0])]),
];

/** What the scorers of a study say of one image, in the order of `scorersOf`. */
export function measured(results: readonly ScoreResult[], scorers: readonly (string | undefined)[]) {
  const found = results.map((result, i) => measuresOf(result, scorers[i]));
  return {
    values: Object.assign({}, ...found.map(({ values }) => values)) as Record<string, number | null>,
    intervals: Object.assign({}, ...found.map(({ intervals }) => intervals)) as Record<
      string,
      [number, number]
    >,
  };
}

/** The first measure of these that is not given at all. One that a guard of another scorer took is there, as null. */
export const missingIn = (pick: readonly string[], values: Readonly<Record<string, number | null>>) =>
  pick.find((name) => typeof values[name] !== 'number' && !(name.includes('.') && name in values));

/** What a result says, by name of the measure. */
export function measuresOf({ reward, aspects }: ScoreResult, scorer: string | undefined) {
  const named = (of: string) => (scorer === undefined ? of : `${scorer}.${of}`);
  const values: Record<string, number | null> = { [named('reward')]: reward };
  const intervals: Record<string, [number, number]> = {};
  for (const aspect of ASPECTS) {
    const found = aspects?.[aspect];
    if (!found) continue;
    // A guard makes every score of the image meaningless, and with them its reward.
    values[named(aspect)] = reward === null ? null : found.score;
    if (found.interval) intervals[named(aspect)] = found.interval;
  }
  return { values, intervals };
}
