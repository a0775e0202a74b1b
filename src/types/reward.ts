/** Rewards for a trainer: what is asked, and what is answered. */
import type { Aspect, AspectScore } from './aspect.ts';
import type { GuardFinding } from './guard.ts';
import type { Colour } from './image.ts';
import type { Profile } from './profile.ts';
import type { ScoreRequest } from './request.ts';
import type { ItemError, ScoreResult } from './result.ts';
import type { ScorerStamp } from './scorer.ts';

/** How rewards of a group become advantages; `zscore-each` does it for each component, and then weighs. */
export const ADVANTAGES = ['zscore', 'rank', 'zscore-each'] as const;
export type Advantage = (typeof ADVANTAGES)[number];

export interface RewardRequest
  extends Omit<ScoreRequest, 'scorer' | 'policy' | 'once' | 'records' | 'colour'> {
  /** By name, or itself; the one of the config when absent. */
  profile?: string | Profile | undefined;
  advantage?: Advantage | undefined;
  /** The training run that asks, by name: what the monitor keeps together. */
  run?: string | undefined;
}

/** One term of a reward, for one image. */
export interface RewardComponent {
  weight: number;
  /** On the scale of the profile; null when there is none. */
  value: number | null;
  /** Why there is none. */
  reason: string | null;
  scorer: ScorerStamp | null;
  /** The scores that it is made of. */
  aspects: Partial<Record<Aspect, AspectScore>>;
}

/** Why there is no reward, and what was put in its place. */
export interface MissingReward {
  because: 'failed' | 'guard' | 'not-applicable';
  reason: string;
  /** `leave-out` beside a null reward, also where there is no other of the group to be worst. */
  applied: 'leave-out' | 'worst' | 'floor';
}

export interface RewardItem
  extends Pick<ScoreResult, 'id' | 'source' | 'sha256' | 'width' | 'height' | 'prompt'> {
  group: string | null;
  /** On the scale of the profile; null: leave it out. */
  reward: number | null;
  missing: MissingReward | null;
  /** When asked for: null beside a null reward. */
  advantage?: number | null;
  /** By name of the term. */
  components: Record<string, RewardComponent>;
  /** Whether a scorer read only the beginning of the prompt. */
  truncated: boolean;
  guards: GuardFinding[];
  /** Null when no pixels were seen. */
  colour: Colour | null;
  notes: string[];
  /** Of the first scorer that failed. */
  error: ItemError | null;
}

/** Statistics of the rewards of one group, with those that were put in the place of missing ones. */
export interface RewardGroup {
  /** Null for the images that came without one. */
  group: string | null;
  count: number;
  /** How many have a reward. */
  used: number;
  mean: number | null;
  /** Of the whole group: divided by the number, not by one less. */
  std: number | null;
  /** Nothing can be learned from the group: its rewards are equal, or fewer than two. */
  zeroVariance: boolean;
  /** Ids of images that are equal byte by byte. */
  duplicates: string[][];
  /** Ids of images of nearly one colour. */
  nearBlank: string[];
}

export interface RewardResult {
  /** As it was applied; the name is null for one that came with the request. */
  profile: Profile & { name: string | null };
  scorers: ScorerStamp[];
  results: RewardItem[];
  groups: RewardGroup[];
}
