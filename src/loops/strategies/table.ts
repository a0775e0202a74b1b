/** The strategies: one file and one row each. */
import { bestOfN } from './best-of-n.ts';
import { first } from './first.ts';
import { halving } from './halving.ts';
import { neighbours } from './neighbours.ts';
import { variants } from './variants.ts';

export const STRATEGIES = {
  'best-of-n': bestOfN,
  first,
  halving,
  neighbours,
  variants,
} as const;

export type StrategyName = keyof typeof STRATEGIES;
