/** The scale that ratings are in, against the scale that a scorer predicts in. */
import { fail } from '../../errors/error.ts';
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import type { Ratings } from '../ratings/ratings.ts';

/** Lowest and highest value. */
export type Range = [number, number];

export interface Scale {
  /** The scorer's range. */
  scorer: Range;
  /** Lowest and highest rating as the file has them. */
  ratings: Range;
  /** The range that was given for the ratings and mapped to the scorer's; null when none was. */
  mappedFrom: Range | null;
  /** Whether scores and ratings can be subtracted: without it, RMSE and coverage mean nothing. */
  comparable: boolean;
  /** Share of ratings that the scorer says its intervals hold, 0..1; 0 when it is not calibrated. */
  statedCoverage: number;
  /** Whether the scorer says how its scores go with ratings. */
  calibrated: boolean;
}

/** Ranges that were given for the ratings of aspects. */
export type Ranges = Partial<Record<Aspect, Range>>;

const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d+)?|\.\d+)`;
const RANGE = new RegExp(`^\\s*(?:(\\w+)\\s*=)?\\s*(${NUMBER})\\s*(?:,|:|-|\\.\\.)\\s*(${NUMBER})\\s*$`);

/** One flag: the range of an aspect, or of all that have none of their own. @throws USAGE */
function parseRange(flag: string, text: string): { aspects: readonly Aspect[]; range: Range } {
  const [, name, low, high] = RANGE.exec(text) ?? [];
  if (low === undefined || high === undefined || !(Number(low) < Number(high)))
    throw fail('USAGE', {
      reason: `${flag} ${text}: expected LOW,HIGH, for example 0,100, or quality=0..100`,
    });
  const aspects = name === undefined ? ASPECTS : ASPECTS.filter((aspect) => aspect === name.toLowerCase());
  if (aspects.length === 0)
    throw fail('USAGE', { reason: `${flag} ${text}: no aspect "${name}"; known are ${ASPECTS.join(', ')}` });
  return { aspects, range: [Number(low), Number(high)] };
}

/**
 * Reads `--range quality=0..5 --range alignment=1..5`, or one range for all aspects.
 *
 * @param all value of `--ratings-range`: an older name of one range for all
 * @throws USAGE when it is not two numbers with the lower first, or names no aspect
 */
export function parseRanges(each: readonly string[] = [], all?: string): Ranges {
  const given = each.map((text) => parseRange('--range', text));
  const forAll = all === undefined ? [] : [parseRange('--ratings-range', all)];
  // What is said of one aspect counts more than what is said of all.
  const ordered = [...forAll, ...given].sort((a, b) => b.aspects.length - a.aspects.length);
  return Object.fromEntries(ordered.flatMap(({ aspects, range }) => aspects.map((a) => [a, range])));
}

/** Maps a value linearly from one range to another. */
export const rescale = (value: number, from: Range, to: Range): number =>
  to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0]);

const inside = (value: number, [low, high]: Range): boolean => value >= low && value <= high;

/** @param flag that gave the ranges. @throws RATINGS_INVALID naming the first rating outside of its range */
export function checkRanges({ path, rows, columns }: Ratings, ranges: Ranges, flag: string): void {
  for (const { line, mos } of rows)
    for (const [aspect, value] of Object.entries(mos) as [Aspect, number][]) {
      const range = ranges[aspect];
      if (!range || inside(value, range)) continue;
      const expected = `expected a number in ${range.join('..')} as ${flag} says`;
      throw fail('RATINGS_INVALID', {
        path,
        reason: `line ${line}, column "${columns[aspect]}": ${expected}, found ${value}`,
      });
    }
}

/** @param ratings the values of the file, at least one */
export function scaleOf(
  ratings: number[],
  { range, coverage }: AspectScore,
  mappedFrom: Range | null,
): Scale {
  const low = ratings.reduce((a, b) => Math.min(a, b));
  const high = ratings.reduce((a, b) => Math.max(a, b));
  const calibrated = coverage !== null;
  const isInside = mappedFrom !== null || (inside(low, range) && inside(high, range));
  return {
    ...{ scorer: range, ratings: [low, high], mappedFrom, calibrated },
    ...{ comparable: calibrated && isInside, statedCoverage: coverage ?? 0 },
  };
}

/** Ratings over less than this share of the scorer's range may be in a scale of their own, such as 0..1 in 0..5. */
const NARROW = 1 / 3;

/** What a reader must know before trusting RMSE and coverage; null when nothing stands out. */
export function scaleNote(aspect: Aspect, scale: Scale): string | null {
  const { scorer, ratings, mappedFrom, comparable, calibrated } = scale;
  if (!calibrated) return `the scores of ${aspect} are not calibrated: no RMSE and no coverage`;
  const span = `${aspect} ratings run from ${ratings.map(brief).join(' to ')}`;
  const range = scorer.map(brief).join('..');
  if (!comparable)
    return `${span}, outside the scorer's ${range}: no RMSE and no coverage; pass --ratings-range LOW,HIGH, or --range ${aspect}=LOW..HIGH`;
  const width = ratings[1] - ratings[0];
  if (!mappedFrom && width > 0 && width < NARROW * (scorer[1] - scorer[0]))
    return `${span}, little of the scorer's ${range}: if they are in another scale, pass --ratings-range LOW,HIGH, or --range ${aspect}=LOW..HIGH`;
  return null;
}

const brief = (value: number): string => String(Number(value.toPrecision(4)));
