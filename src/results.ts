/** What results are made of: a result that says nothing yet, one that failed, and the order of several. */
import { fail, toAssayError } from './errors/error.ts';
import { shortened } from './prompt/resolve.ts';
import type { AspectScore } from './types/aspect.ts';
import type { ScoreItem } from './types/request.ts';
import type { RankResult, ScoreResult } from './types/result.ts';
import type { ScorerStamp } from './types/scorer.ts';

/** A result that says nothing yet. */
export function emptyResult(
  { id, source, prompt, group }: Pick<ScoreItem, 'id' | 'source' | 'prompt' | 'group'>,
  scorer: ScorerStamp | null,
): ScoreResult {
  return {
    id,
    ...(group === undefined ? {} : { group }),
    source,
    sha256: null,
    width: null,
    height: null,
    prompt: prompt == null ? null : shortened(prompt),
    promptSource: null,
    scorer,
    aspects: null,
    reward: null,
    guards: [],
    decision: null,
    reasons: [],
    notes: [],
    timings: null,
    error: null,
  };
}

/** The result of an item that came to nothing. */
export function failedResult(
  item: Pick<ScoreItem, 'id' | 'source' | 'prompt' | 'group'>,
  scorer: ScorerStamp | null,
  thrown: unknown,
): ScoreResult {
  const { code, message } = toAssayError(thrown);
  return { ...emptyResult(item, scorer), error: { code, message } };
}

const numbersOf = (aspect: AspectScore): number[] => [
  ...[aspect.score, aspect.percentile ?? 0, aspect.coverage ?? 0, ...aspect.range],
  ...(aspect.interval ?? []),
  ...[aspect.raw ?? 0, aspect.spread ?? 0, ...(aspect.distribution?.probabilities ?? [])],
];

function hasFiniteNumbers({ aspects, reward }: ScoreResult): boolean {
  const numbers = Object.values(aspects ?? {}).flatMap((aspect) => (aspect ? numbersOf(aspect) : []));
  return [...numbers, reward ?? 0].every(Number.isFinite);
}

/**
 * A result whose numbers are not all finite becomes a failed item: a failure is never a score, and JSON, which has no
 * NaN, would make it null, which means "not applicable".
 */
export function sealed(result: ScoreResult): ScoreResult {
  if (hasFiniteNumbers(result)) return result;
  const { code, message } = fail('INTERNAL', { reason: 'a score is not a number' });
  return { ...result, aspects: null, reward: null, decision: null, reasons: [], error: { code, message } };
}

/** Best first, by reward; items without one last, in request order. */
export function ranked(results: ScoreResult[]): RankResult {
  const rewards = results.map(({ reward }) => reward ?? Number.NEGATIVE_INFINITY);
  const order = [...results.keys()].sort((a, b) =>
    rewards[b] === rewards[a] ? a - b : rewards[b]! - rewards[a]!,
  );
  const best = order.find((index) => results[index]!.reward !== null) ?? null;
  return { results, order, best };
}
