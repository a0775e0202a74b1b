/** Flags that several commands share. */
import { AssayError, fail } from '../../errors/error.ts';

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

/**
 * What does not fit a study, by the flags that it came from.
 *
 * @param flags by the field of the plan, where they are not called the same
 * @throws STUDY_INVALID, and what `make` throws
 */
export function inFlags<T>(make: () => T, flags: Readonly<Record<string, string>>): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'STUDY_INVALID') throw error;
    const { field, reason } = error.details as { field: string; reason: string };
    const [first = ''] = field.split('.');
    const kebab = first.replace(/[A-Z]/g, '-$&').toLowerCase();
    throw fail(
      'STUDY_INVALID',
      { field: flags[field] ?? flags[first] ?? `--${kebab}`, reason },
      { cause: error },
    );
  }
}

/** A usage error that commander cannot see. */
export const usage = (reason: string) => fail('USAGE', { reason });
