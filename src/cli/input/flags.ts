/** Flags that several commands share. */
import { fail } from '../../errors/error.ts';

/** Ways to print rows. */
export const FORMATS = ['table', 'json', 'jsonl', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** What results can be sorted by. */
export const SORTS = ['quality', 'alignment', 'authenticity', 'reward', 'name'] as const;
export type Sort = (typeof SORTS)[number];

/** Options that every command with a scorer takes. Names are those of the config. */
export interface ScorerFlags {
  config?: string;
  scorer?: string;
  variant?: string;
  providers?: string[];
  threads?: number;
  models?: string[];
  dataDir?: string;
}

/** A usage error that commander cannot see. */
export const usage = (reason: string) => fail('USAGE', { reason });
