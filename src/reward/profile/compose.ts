/** One image's scores to one reward, by a profile. Pure. */

import { SCALES, termName } from '../../config/profiles.ts';
import type { Aspect, AspectScore } from '../../types/aspect.ts';
import type { Affine, Profile, ProfileTerm } from '../../types/profile.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { MissingReward, RewardComponent, RewardItem } from '../../types/reward.ts';
import { rewardOf } from '../calibrate.ts';
import { together } from '../image/guards.ts';
import type { Manifest } from '../model/manifest.ts';

/** A term, and what its scorer said of the image. */
export interface Told {
  term: ProfileTerm;
  /** How its scorer makes a reward of its own. */
  ownReward: Manifest['reward'];
  result: ScoreResult;
}

/** A reward that is not yet compared with those of its group: what is missing has no place yet. */
export interface Composed extends Omit<RewardItem, 'missing'> {
  missing: Omit<MissingReward, 'applied'> | null;
}

type Value = Pick<RewardComponent, 'value' | 'reason' | 'aspects'>;

const without = (reason: string, aspects: Value['aspects'] = {}): Value => ({ value: null, reason, aspects });

function scaled(scale: string | Affine, score: AspectScore): number | undefined {
  const [low, high] = score.range;
  if (scale === 'range') return (score.score - low) / (high - low);
  const { of, subtract, divide } = typeof scale === 'string' ? SCALES[scale as keyof typeof SCALES] : scale;
  const value = score[of];
  return value == null ? undefined : (value - subtract) / divide;
}

function ofAspect({ term, result }: Told, aspect: Aspect): Value {
  const score = result.aspects?.[aspect];
  if (!score) return without(lack(result, aspect));
  const value = scaled(term.scale, score);
  const aspects = { [aspect]: score };
  if (value === undefined)
    return without(`the scorer tells no such value of ${aspect}, raw or percentile`, aspects);
  return Number.isFinite(value) ? { value, reason: null, aspects } : without('it is not a number', aspects);
}

const lack = ({ prompt, scorer }: ScoreResult, aspect: Aspect): string =>
  prompt === null
    ? `${scorer?.id ?? 'the scorer'} gives no ${aspect} without a prompt`
    : `${scorer?.id ?? 'the scorer'} gives no ${aspect}`;

/** The scorer's own reward, guards apart: which of them count is for the profile to say. */
function ofScorer({ ownReward, result }: Told): Value {
  const all = Object.entries(result.aspects ?? {}).filter(([, score]) => score !== null);
  const aspects = Object.fromEntries(all) as Value['aspects'];
  const value = result.aspects && rewardOf(result.aspects, ownReward);
  return value === null ? without('none of its aspects applies', aspects) : { value, reason: null, aspects };
}

function componentOf(told: Told): RewardComponent {
  const { term, result } = told;
  const { weight, aspect } = term;
  const value = result.error
    ? without(`${result.error.code}: ${result.error.message}`)
    : aspect
      ? ofAspect(told, aspect)
      : ofScorer(told);
  return { weight, ...value, scorer: result.scorer };
}

/** The reward of one image, guards and failures apart. */
export function compose(told: Told[], { guards }: Profile): Composed {
  const results = told.map(({ result }) => result);
  const { id, group = null, source, sha256, width, height, prompt } = best(results);
  const components = new Map(told.map((one) => [termName(one.term), componentOf(one)]));
  const found = together(...results.flatMap((result) => result.guards));
  const error = results.find((result) => result.error)?.error ?? null;
  const missing = missingOf(
    [...components.values()],
    found.filter(({ guard }) => guards.includes(guard)),
    error,
  );
  const sum = [...components.values()].reduce((all, { weight, value }) => all + weight * (value ?? 0), 0);
  return {
    ...{ id, group, source, sha256, width, height, prompt },
    reward: missing ? null : sum,
    missing,
    components: Object.fromEntries(components),
    truncated: results.some(({ truncated }) => truncated),
    guards: found,
    colour: results.find(({ colour }) => colour)?.colour ?? null,
    notes: [...new Set(results.flatMap(({ notes }) => notes))],
    error,
  };
}

/** The one that knows most of the image. */
const best = (results: ScoreResult[]): ScoreResult => results.find(({ error }) => !error) ?? results[0]!;

function missingOf(
  components: RewardComponent[],
  guards: RewardItem['guards'],
  error: RewardItem['error'],
): Composed['missing'] {
  if (error) return { because: 'failed', reason: `${error.code}: ${error.message}` };
  const [guard] = guards;
  if (guard) return { because: 'guard', reason: `${guard.guard}: ${guard.message}` };
  const none = components.find(({ value }) => value === null);
  return none ? { because: 'not-applicable', reason: none.reason! } : null;
}
