/** 9 decide: accept, reject or unsure, with the reasons in words. Pure. */
import { apart } from '../../lib/words.ts';
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import type { GuardFinding } from '../../types/guard.ts';
import type { AspectThreshold, Decision, Policy } from '../../types/policy.ts';

interface Verdict {
  aspects: Record<Aspect, AspectScore | null>;
  reward: number | null;
  guards: GuardFinding[];
}

/** What one demand says of an image. */
interface Finding {
  decision: Decision;
  reason: string;
}

function atLeast(what: string, value: number, least: number): Finding[] {
  if (value >= least) return [];
  const [found, wanted] = apart(value, least);
  return [{ decision: 'reject', reason: `${what} ${found} is below ${wanted}` }];
}

function percentileFindings(aspect: Aspect, share: number | null, least: number): Finding[] {
  if (share === null)
    return [{ decision: 'unsure', reason: `${aspect} has no percentile: the scorer is not calibrated` }];
  if (share >= least) return [];
  const [found, wanted] = apart(100 * share, 100 * least, 0);
  return [{ decision: 'reject', reason: `${aspect} percentile ${found} % is below ${wanted} %` }];
}

function scoreFindings(aspect: Aspect, found: AspectScore, min: number, policy: Policy): Finding[] {
  const [low, high] = found.interval ?? [found.score, found.score];
  if (policy.unsureWithinInterval && low < min && min <= high) {
    const [score, wanted] = apart(found.score, min);
    const reason = `${aspect} ${score} is too near ${wanted}: it may lie between ${low.toFixed(2)} and ${high.toFixed(2)}`;
    return [{ decision: 'unsure', reason }];
  }
  return atLeast(aspect, found.score, min);
}

function aspectFindings(
  aspect: Aspect,
  demand: AspectThreshold,
  found: AspectScore | null,
  policy: Policy,
): Finding[] {
  if (!found) return [{ decision: 'unsure', reason: `${aspect} has no score` }];
  const byScore = demand.minScore === undefined ? [] : scoreFindings(aspect, found, demand.minScore, policy);
  const byPercentile =
    demand.minPercentile === undefined
      ? []
      : percentileFindings(aspect, found.percentile, demand.minPercentile);
  return [...byScore, ...byPercentile];
}

function rewardFindings(reward: number | null, minReward: number | undefined): Finding[] {
  if (minReward === undefined) return [];
  if (reward === null) return [{ decision: 'unsure', reason: 'no reward' }];
  return atLeast('reward', reward, minReward);
}

/**
 * Decides on one image. A guard rejects by itself; then any missed threshold rejects; then any doubt makes it unsure.
 *
 * @example decide({ aspects, reward: 0.4, guards: [] }, { aspects: {}, minReward: 0.5, unsureWithinInterval: false })
 * // { decision: 'reject', reasons: ['reward 0.40 is below 0.50'] }
 */
export function decide(verdict: Verdict, policy: Policy): { decision: Decision; reasons: string[] } {
  if (verdict.guards.length > 0)
    return { decision: 'reject', reasons: verdict.guards.map((g) => `${g.guard}: ${g.message}`) };
  const findings = [
    ...ASPECTS.flatMap((aspect) => {
      const demand = policy.aspects[aspect];
      return demand ? aspectFindings(aspect, demand, verdict.aspects[aspect], policy) : [];
    }),
    ...rewardFindings(verdict.reward, policy.minReward),
  ];
  const worst = (['reject', 'unsure'] as const).find((d) => findings.some((f) => f.decision === d));
  if (!worst) return { decision: 'accept', reasons: [] };
  return { decision: worst, reasons: findings.filter((f) => f.decision === worst).map((f) => f.reason) };
}

/** What a policy asks for, if anything. */
const demands = ({ aspects, minReward }: Policy): boolean =>
  minReward !== undefined ||
  ASPECTS.some((a) => aspects[a]?.minScore !== undefined || aspects[a]?.minPercentile !== undefined);

/** The policy that was asked for, or where that demands nothing, what the scorer's manifest proposes. */
export const policyOf = (asked: Policy, proposed: Policy | undefined): Policy =>
  proposed && !demands(asked) ? proposed : asked;

/** What an aspect of a scorer can be, as its manifest says; absent ones are not predicted. */
type Predicted = Partial<Record<Aspect, { range: readonly [number, number] } | null>>;

/**
 * Demands that no image of a scorer can meet, or that all meet: they are allowed, and hardly meant.
 *
 * @returns a sentence for each
 */
export function doubtsOf({ aspects }: Policy, scorer: string, predicted: Predicted): string[] {
  return ASPECTS.flatMap((aspect) => {
    const demand = aspects[aspect];
    if (!demand) return [];
    const range = predicted[aspect]?.range;
    if (!range)
      return `policy.aspects.${aspect}: ${scorer} does not predict ${aspect}, so every image is unsure`;
    return minScoreDoubt(`policy.aspects.${aspect}.minScore`, demand.minScore, scorer, range);
  });
}

function minScoreDoubt(
  key: string,
  min: number | undefined,
  scorer: string,
  [low, high]: readonly [number, number],
): string[] {
  if (min === undefined || (min >= low && min <= high)) return [];
  const effect = min > high ? 'every image is rejected' : 'it asks for nothing';
  return [`${key} is ${min}, and ${scorer} gives ${low} to ${high}: ${effect}`];
}
