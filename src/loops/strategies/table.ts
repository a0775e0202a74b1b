/** The strategies: one file and one row each. */
import { bestOfN } from './best-of-n.ts';
import { first } from './first.ts';

export const STRATEGIES = {
  'best-of-n': bestOfN,
  first,
} as const;

export type StrategyName = keyof typeof STRATEGIES;
