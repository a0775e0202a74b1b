/** One watch alone for a host and data folder. */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { fail } from '../../errors/error.ts';
import { takeHold } from '../../store/file/hold.ts';

/**
 * Two would score everything twice and be in each other's way.
 *
 * @param host as the ledger names it
 * @throws WATCH_HELD
 */
export function holdWatch({ dataDir }: Config, host: string): { release(): void } {
  const hold = takeHold(join(dataDir, `watch-${hash('sha256', host).slice(0, 12)}.lock`));
  if ('release' in hold) return hold;
  const { pid, machine, since } = hold.holder ?? {};
  const holder = pid === undefined ? 'another process' : `process ${pid} on ${machine} since ${when(since!)}`;
  throw fail('WATCH_HELD', { url: host, dataDir, holder });
}

const when = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
