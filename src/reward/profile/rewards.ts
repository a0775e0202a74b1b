/** Rewards for a training loop: one request, several scorers, one number an image, and the figures of its group. */

import type { Config } from '../../config.ts';
import type { Profile } from '../../types/profile.ts';
import type { PanelRequest } from '../../types/request.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { RewardRequest, RewardResult } from '../../types/reward.ts';
import type { Manifest } from '../model/manifest.ts';
import { compose } from './compose.ts';
import { figuresOf, groupsOf, placed, withAdvantages } from './groups.ts';
import { findProfile } from './profiles.ts';

/** What is asked of the rest. */
export interface RewardParts {
  config: Pick<Config, 'rewards'>;
  /** What a name of a scorer, or none, stands for, and how it makes its own reward. @throws UNKNOWN_SCORER */
  scorerOf(name: string | undefined): { ref: string; ownReward: Manifest['reward'] };
  /** Of each item one result a scorer. */
  panel(request: PanelRequest): Promise<ScoreResult[][]>;
}

/** @throws UNKNOWN_PROFILE, UNKNOWN_SCORER, and what scoring throws */
export async function rewardsOf(request: RewardRequest, parts: RewardParts): Promise<RewardResult> {
  const { profile: asked, advantage, run: _, ...rest } = request;
  const profile = findProfile(parts.config, asked);
  const terms = profile.terms.map((term) => ({ term, ...parts.scorerOf(term.scorer) }));
  const scorers = [...new Set(terms.map(({ ref }) => ref))];
  const all = await parts.panel({ ...rest, scorers, colour: true });
  const items = all.map((results) =>
    compose(
      terms.map(({ term, ref, ownReward }) => ({ term, ownReward, result: results[scorers.indexOf(ref)]! })),
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
    scorers: scorers.flatMap((_, i) => all.map((results) => results[i]!.scorer).find(Boolean) ?? []),
    results: items.map((item) => byItem.get(item)!),
    groups: groups.map(({ group, done }) => figuresOf(group, done)),
  };
}

const finished = (
  members: Parameters<typeof placed>[0],
  { missing }: Profile,
  advantage: RewardRequest['advantage'],
) => withAdvantages(placed(members, missing), advantage);
