/** One run alone writes a file of results: a second one would take the `.part` file from under it. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { holderWords, tryHold } from '../store/hold.ts';
import { PART, targetOf } from './out.ts';

const NOTHING = { release() {} };

/**
 * Keeps others from writing there until it is let go of, or the process ends. The lock stands beside the `.part` file:
 * so it holds for everyone who sees that, whatever data folder they have.
 *
 * @throws OUTPUT_HELD, OUTPUT_UNWRITABLE, USAGE for a folder
 */
export function claimOut(path: string | undefined): { release(): void } {
  if (path === undefined || path === '-') return NOTHING;
  const { target, isDevice } = targetOf(path);
  if (isDevice || !existsSync(dirname(target))) return NOTHING; // opening it tells what is wrong
  const hold = tryHold(`${target}${PART}.lock`, { temporary: true });
  if ('release' in hold) return hold;
  if ('holder' in hold) throw fail('OUTPUT_HELD', { path, holder: holderWords(hold.holder) });
  const { fault, cause } = hold;
  if (fault.kind !== 'unfit')
    throw fail('OUTPUT_UNWRITABLE', { output: `--out: ${path}`, reason: fault.reason }, { cause });
  process.stderr.write(`--out ${path}: its disk has no locks; make sure that no other run writes there\n`);
  return NOTHING;
}
