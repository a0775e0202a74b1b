/** Verdicts in as few words as a model needs: numbers rounded, what is missing left away, long texts cut. Pure. */
import { fewOf } from '../../lib/words.ts';
import { ASPECTS, type Aspect } from '../../types/aspect.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { Rated } from './rate.ts';

export const MEASURES = ['reward', ...ASPECTS] as const;
export type Measure = (typeof MEASURES)[number];

const LONGEST_TEXT = 160;
const MOST_REASONS = 3;
const MOST_FAILURES = 10;

export const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));
export const cut = (text: string, most = LONGEST_TEXT): string =>
  text.length <= most ? text : `${text.slice(0, most)}…`;
const few = (texts: readonly string[]): string => cut(fewOf(texts, MOST_REASONS), 2 * LONGEST_TEXT);

/** What an image is ranked by; null when it failed, tripped a guard, or lacks the number. */
export const figureOf = ({ aspects, reward, guards }: ScoreResult, by: Measure): number | null => {
  if (guards.length > 0) return null;
  return by === 'reward' ? reward : (aspects?.[by]?.score ?? null);
};

/** Best first; those without a number last. */
export const byValue =
  (by: Measure) =>
  (a: { result: ScoreResult }, b: { result: ScoreResult }): number =>
    (figureOf(b.result, by) ?? Number.NEGATIVE_INFINITY) -
      (figureOf(a.result, by) ?? Number.NEGATIVE_INFINITY) || 0;

function figuresOf({ aspects, reward }: ScoreResult): object {
  const found: Partial<Record<string, number>> = {};
  for (const aspect of ASPECTS) {
    const score = aspects?.[aspect];
    if (score) found[aspect] = rounded(score.score, 2);
  }
  const percentile = aspects?.quality?.percentile;
  if (percentile != null) found.percentile = rounded(percentile, 2);
  if (reward !== null) found.reward = rounded(reward);
  return found;
}

/** One image. */
export function brief(image: string, result: ScoreResult): object {
  const { decision, reasons, guards, notes, prompt, promptSource, error } = result;
  if (error) return { image, error: { code: error.code, message: cut(error.message) } };
  return {
    image,
    ...figuresOf(result),
    decision,
    ...(reasons.length > 0 && { reasons: few(reasons) }),
    ...(guards.length > 0 && { guards: guards.map(({ guard }) => guard) }),
    ...(prompt !== null && { prompt: cut(prompt) }),
    ...(promptSource?.certain === false && {
      promptUncertain: cut(promptSource.reason ?? 'it may be another'),
    }),
    ...(notes.length > 0 && { notes: few(notes) }),
  };
}

/** Ranges of the aspects, once for all. */
function scalesOf(results: readonly ScoreResult[]): object {
  const scales: Partial<Record<Aspect, readonly [number, number]>> = {};
  for (const { aspects } of results)
    for (const aspect of ASPECTS) if (aspects?.[aspect]) scales[aspect] ??= aspects[aspect].range;
  return scales;
}

function spread(values: number[]): object | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const [low, median, high] = [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  return { min: rounded(low), median: rounded(median), max: rounded(high) };
}

/** What holds for all images of a call. */
export function summaryOf({ rows, failures, notes, found, next }: Rated): object {
  const results = rows.map(({ result }) => result);
  const scored = results.filter(({ error }) => error === null);
  const decisions = Object.groupBy(scored, ({ decision }) => decision ?? 'none');
  const stamp = scored[0]?.scorer;
  const rewards = scored.flatMap(({ reward }) => (reward === null ? [] : [reward]));
  return {
    found,
    scored: scored.length,
    failed: results.length - scored.length + failures.length,
    decisions: Object.fromEntries(Object.entries(decisions).map(([name, all]) => [name, all!.length])),
    reward: spread(rewards),
    scales: scalesOf(scored),
    ...(stamp && { scorer: `${stamp.id} ${stamp.version}` }),
    ...(failures.length > 0 && {
      refused: failures
        .slice(0, MOST_FAILURES)
        .map((failure) => ({ ...failure, message: cut(failure.message) })),
    }),
    ...(failures.length > MOST_FAILURES && { refusedMore: failures.length - MOST_FAILURES }),
    ...(notes.length > 0 && { notes: notes.map((note) => cut(note, 2 * LONGEST_TEXT)) }),
    ...(next !== null && { next, hint: `${found - next} images are left: call again with from ${next}` }),
  };
}
