/** What stands at the place of a pack now. Only looks. */
import { lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { leaves, sha256Of } from './files.ts';
import type { Pack } from './pack.ts';
import { RECORD, readRecord } from './record.ts';

/** A copy that an earlier run made. */
export interface Copied {
  kind: 'copied';
  version: string;
  /** Files of that run that are there still, changed or not. */
  present: string[];
  /** Those of them whose contents are neither what was installed nor what would be installed now. */
  changed: string[];
  /** Files of that run that are gone. */
  missing: string[];
  /** What others put there. */
  foreign: string[];
  /** Whether the pack has other files now than the copy had when it was made. */
  outdated: boolean;
}

export type State =
  | { kind: 'absent' }
  | { kind: 'linked' }
  /** `what` stands there instead, and it is not ours. */
  | { kind: 'foreign'; what: string }
  | Copied;

/** Whether every file is there as it was installed. */
export const isWhole = ({ changed, missing }: Copied): boolean => changed.length + missing.length === 0;

function copied(place: string, pack: Pack): Copied | undefined {
  const record = readRecord(place);
  if (!record) return undefined;
  const found = leaves(place).filter((leaf) => leaf.path !== RECORD);
  const mine = found.filter(({ path, kind }) => kind === 'file' && Object.hasOwn(record.files, path));
  const present = mine.map((leaf) => leaf.path);
  const isChanged = (path: string): boolean => {
    const hash = sha256Of(join(place, path));
    return hash !== record.files[path] && hash !== pack.files.get(path);
  };
  const recorded = Object.entries(record.files);
  return {
    kind: 'copied',
    version: record.version,
    present,
    changed: present.filter(isChanged),
    missing: recorded.map(([path]) => path).filter((path) => !present.includes(path)),
    foreign: found.filter((leaf) => !mine.includes(leaf)).map((leaf) => leaf.path),
    outdated:
      record.version !== pack.version ||
      recorded.length !== pack.files.size ||
      recorded.some(([path, hash]) => pack.files.get(path) !== hash),
  };
}

function linked(place: string, pack: Pack): State {
  const target = resolve(dirname(place), readlinkSync(place));
  try {
    if (realpathSync(target) === realpathSync(pack.folder)) return { kind: 'linked' };
  } catch {
    // a link that leads nowhere is not ours either
  }
  return { kind: 'foreign', what: `a link to ${target}` };
}

export function stateOf(place: string, pack: Pack): State {
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (!stat) return { kind: 'absent' };
  if (stat.isSymbolicLink()) return linked(place, pack);
  if (!stat.isDirectory()) return { kind: 'foreign', what: 'a file' };
  if (readdirSync(place).length === 0) return { kind: 'absent' };
  return copied(place, pack) ?? { kind: 'foreign', what: 'a folder that Assay did not install' };
}
