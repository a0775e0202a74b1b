/** Rewards for a training loop: one request, several scorers, one number an image, and the figures of its group. */

import type { Config } from '../../config.ts';
import type {
  ImageInput,
  Profile,
  RewardRequest,
  RewardResult,
  ScoreItem,
  ScoreRequest,
  ScoreResult,
} from '../../types.ts';
import type { Manifest } from '../model/manifest.ts';
import { compose } from './compose.ts';
import { figuresOf, groupsOf, placed, withAdvantages } from './groups.ts';
import { findProfile } from './profiles.ts';

/** What is asked of the rest. */
export interface RewardParts {
  config: Pick<Config, 'rewards'>;
  /** What a name of a scorer, or none, stands for, and how it makes its own reward. @throws UNKNOWN_SCORER */
  scorerOf(name: string | undefined): { ref: string; ownReward: Manifest['reward'] };
  score(request: ScoreRequest): Promise<ScoreResult[]>;
}

/** @throws UNKNOWN_PROFILE, UNKNOWN_SCORER, and what scoring throws */
export async function rewardsOf(request: RewardRequest, parts: RewardParts): Promise<RewardResult> {
  const { profile: asked, advantage, run: _, ...rest } = request;
  const profile = findProfile(parts.config, asked);
  const terms = profile.terms.map((term) => ({ term, ...parts.scorerOf(term.scorer) }));
  const refs = [...new Set(terms.map(({ ref }) => ref))];
  const all = await scoreWithAll(refs, rest, parts.score);
  const items = request.items.map((_, i) =>
    compose(
      terms.map(({ term, ref, ownReward }) => ({ term, ownReward, result: all.get(ref)![i]! })),
      profile,
    ),
  );
  const groups = [...groupsOf(items)].map(([group, members]) => ({
    group,
    members,
    done: finished(members, profile, advantage),
  }));
  const byItem = new Map(
    groups.flatMap(({ members, done }) => members.map((member, i) => [member, done[i]!])),
  );
  return {
    profile,
    scorers: refs.flatMap((ref) => all.get(ref)!.find(({ scorer }) => scorer)?.scorer ?? []),
    results: items.map((item) => byItem.get(item)!),
    groups: groups.map(({ group, done }) => figuresOf(group, done)),
  };
}

const finished = (
  members: Parameters<typeof placed>[0],
  { missing }: Profile,
  advantage: RewardRequest['advantage'],
) => withAdvantages(placed(members, missing), advantage);

/** By scorer. When one of them cannot take the request, the others are given up. */
async function scoreWithAll(
  refs: string[],
  request: Omit<RewardRequest, 'profile' | 'advantage' | 'run'>,
  score: RewardParts['score'],
): Promise<Map<string, ScoreResult[]>> {
  const refused = new AbortController();
  const signal = AbortSignal.any([request.signal, refused.signal]);
  const items = refs.length > 1 ? request.items.map((item) => fetchedOnce(item, refs.length)) : request.items;
  const work = refs.map(
    async (scorer) => [scorer, await score({ ...request, items, scorer, signal, colour: true })] as const,
  );
  try {
    return new Map(await Promise.all(work));
  } catch (error) {
    refused.abort(error);
    await Promise.allSettled(work);
    throw error;
  }
}

/** Several scorers want the bytes of an item, which may be fetched once; the last one takes them along. */
function fetchedOnce(item: ScoreItem, scorers: number): ScoreItem {
  let left = scorers;
  let bytes: Promise<ImageInput> | undefined;
  return {
    ...item,
    fetch: (signal, maxBytes) => {
      const mine = bytes ?? Promise.resolve(item.fetch(signal, maxBytes));
      bytes = --left > 0 ? mine : undefined;
      return mine;
    },
  };
}
