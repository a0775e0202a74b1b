/** Which scores make a reward for a trainer. */
import type { Aspect } from './aspect.ts';
import type { GuardName } from './guard.ts';

/** How a score becomes a part of a reward: `(of − subtract) / divide`. */
export interface Affine {
  of: 'score' | 'raw' | 'percentile';
  subtract: number;
  divide: number;
}

/** One score in a reward. */
export interface ProfileTerm {
  /** Of the component in answers; scorer and aspect when absent. */
  name?: string | undefined;
  /** Id, or `id@version`; the configured default when absent. */
  scorer?: string | undefined;
  /** Its own reward when absent. */
  aspect?: Aspect | undefined;
  weight: number;
  /** A name of config/profiles.ts, or what such a name stands for. */
  scale: string | Affine;
}

/** What a missing reward is to a trainer. */
export type MissingRule = 'leave-out' | 'worst' | { floor: number };

/** Which scores make a reward, and what a missing one is. */
export interface Profile {
  /** The reward is their weighted sum. */
  terms: ProfileTerm[];
  missing: MissingRule;
  /** Guards that leave an image without a reward. */
  guards: GuardName[];
}
