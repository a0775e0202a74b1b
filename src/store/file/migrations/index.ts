/** The steps of the schema in order; step n makes version n. A released step never changes: add a new one. */
import { verdicts } from './001-verdicts.ts';
import { historyFilters } from './002-history-filters.ts';
import { outputs } from './003-outputs.ts';
import { provenance } from './004-provenance.ts';
import { restored } from './005-restored.ts';
import { rewards } from './006-rewards.ts';
import { uncalibrated } from './007-uncalibrated.ts';

export const MIGRATIONS: readonly string[] = [
  verdicts,
  historyFilters,
  outputs,
  provenance,
  restored,
  rewards,
  uncalibrated,
];
