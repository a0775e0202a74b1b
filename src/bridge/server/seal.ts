/** Step 10, reply: no number that is none leaves the daemon. JSON has no NaN: it would turn into null, "not applicable". */
import { fail } from '../../errors/error.ts';
import type { ScoreResult } from '../../types.ts';

export function hasFiniteNumbers(result: ScoreResult): boolean {
  const aspects = Object.values(result.aspects ?? {}).flatMap((a) =>
    a ? [a.score, a.percentile, a.coverage, ...a.range, ...a.interval] : [],
  );
  return [...aspects, result.reward ?? 0].every(Number.isFinite);
}

/** A result whose numbers are not all finite becomes a failed item: a failure is never a score. */
export function sealed(result: ScoreResult): ScoreResult {
  if (hasFiniteNumbers(result)) return result;
  const { code, message } = fail('INTERNAL', { reason: 'a score is not a number' });
  return { ...result, aspects: null, reward: null, decision: null, reasons: [], error: { code, message } };
}
