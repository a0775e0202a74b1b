/** What the flags and the config of `assay watch` say of the host and of the images to judge. */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { comfyuiSettings } from '../config/comfyui.ts';
import type { Config } from '../config.ts';
import { fail } from '../errors.ts';
import type { Choice, Names } from '../loops/watch/choice.ts';
import { readNamedFile } from '../plain-file.ts';
import { holderWords, takeHold } from '../store/hold.ts';
import { usage } from './flags.ts';

export interface ChoiceFlags {
  comfyuiHeader?: string[];
  onlyFolder?: string[];
  onlyPrefix?: string[];
  onlyNode?: string[];
  notFolder?: string[];
  notPrefix?: string[];
  notNode?: string[];
  judgeMaps?: boolean;
}

/** A flag takes the place of the list in the config. */
const namesOf = (
  given: Names,
  folders: string[] | undefined,
  prefixes: string[] | undefined,
  nodes: string[] | undefined,
): Names => ({
  folders: folders ?? given.folders,
  prefixes: prefixes ?? given.prefixes,
  nodes: nodes ?? given.nodes,
});

export const choiceOf = ({ comfyui }: Config, flags: ChoiceFlags): Choice => ({
  only: namesOf(comfyui.only, flags.onlyFolder, flags.onlyPrefix, flags.onlyNode),
  not: namesOf(comfyui.not, flags.notFolder, flags.notPrefix, flags.notNode),
  judgeMaps: flags.judgeMaps ?? comfyui.judgeMaps,
});

/** `Name: value`, or the lines of a file, which no list of processes shows. */
function linesOf(flag: string): string[] {
  if (!flag.startsWith('@')) return [flag];
  return readNamedFile(flag.slice(1))
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
}

/** @throws USAGE, without the value, which is a secret; FILE_NOT_FOUND, FILE_UNREADABLE */
export function headersOf({ comfyui }: Config, flags: ChoiceFlags): Record<string, string> {
  const given = (flags.comfyuiHeader ?? []).flatMap(linesOf).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim()];
  });
  const parsed = comfyuiSettings.shape.headers.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw usage('--comfyui-header takes "Name: value", or @FILE with such lines');
  return { ...comfyui.headers, ...parsed.data };
}

/**
 * One watch alone for a host and data folder: two would score everything twice and be in each other's way.
 *
 * @param host as the ledger names it
 * @throws WATCH_HELD
 */
export function holdWatch({ dataDir }: Config, host: string): { release(): void } {
  const hold = takeHold(join(dataDir, `watch-${hash('sha256', host).slice(0, 12)}.lock`));
  if ('release' in hold) return hold;
  throw fail('WATCH_HELD', { url: host, dataDir, holder: holderWords(hold.holder) });
}
