/** When to keep an image. */
import type { Aspect } from './aspect.ts';

export type Decision = 'accept' | 'reject' | 'unsure';

/** Least demands on one aspect; an absent one is not made. */
export interface AspectThreshold {
  /** Least score, in the scorer's range. */
  minScore?: number | undefined;
  /** Least percentile, 0..1. */
  minPercentile?: number | undefined;
}

/** When to keep an image. With no thresholds, those of the scorer's manifest count; `minReward: 0` asks for nothing. */
export interface Policy {
  aspects: Partial<Record<Aspect, AspectThreshold>>;
  /** Least reward, 0..1. */
  minReward?: number | undefined;
  /** Answer `unsure` when a score misses or meets its `minScore` by less than its prediction interval. */
  unsureWithinInterval: boolean;
}
