/** Puts a pack at its place and takes it away again. Touches nothing beside it. */
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createFolder } from '../../../lib/folder.ts';
import { CACHE } from './files.ts';
import type { Pack } from './pack.ts';
import { RECORD, writeRecord } from './record.ts';
import type { Copied } from './state.ts';

/** A free name beside the place, with an ending that hosts may know as one of what they do not load, should it be left over after a crash. */
const beside = (place: string, what: string): string => `${place}.${what}-${process.pid}.disabled`;

/** Also when it is a link that leads nowhere. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

function copyPack(pack: Pack, to: string): void {
  mkdirSync(to);
  for (const path of pack.files.keys()) {
    createFolder(dirname(join(to, path)));
    copyFileSync(join(pack.folder, path), join(to, path));
  }
  writeRecord(to, pack);
}

/** Moves what others put into the old folder over to the new one. */
function keep(foreign: readonly string[], from: string, to: string): void {
  for (const path of foreign) {
    if (isThere(join(to, path))) continue; // the pack's file, which was forced into its place
    createFolder(dirname(join(to, path)));
    renameSync(join(from, path), join(to, path));
  }
}

/**
 * Puts what `make` builds at the place. The old stays until the new is whole, and comes back when it cannot move in.
 *
 * @param foreign paths in the old folder that are carried over
 */
function swap(place: string, foreign: readonly string[], make: (staged: string) => void): void {
  const staged = beside(place, 'new');
  const old = beside(place, 'old');
  const replaces = isThere(place);
  try {
    make(staged);
    if (replaces) renameSync(place, old);
    try {
      renameSync(staged, place);
    } catch (error) {
      if (replaces) renameSync(old, place);
      throw error;
    }
    keep(foreign, old, place);
    rmSync(old, { recursive: true, force: true });
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}

/** Copies the pack to the place. `foreign`: what of the old folder stays. */
export function placeCopy(place: string, pack: Pack, foreign: readonly string[] = []): void {
  swap(place, foreign, (staged) => copyPack(pack, staged));
}

/** Links the place to the pack. A junction on Windows, since links need a privilege there. */
export function placeLink(place: string, pack: Pack): void {
  swap(place, [], (staged) => symlinkSync(pack.folder, staged, 'junction'));
}

/** Removes the folder and those in it that hold nothing but Python's caches; the rest stays. */
function prune(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if (entry.name === CACHE) rmSync(join(folder, CACHE), { recursive: true });
    else prune(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Removes what an earlier run put there. The record goes last, so that a broken run can be repeated. */
export function removeCopy(place: string, { present }: Copied): void {
  for (const path of present) unlinkSync(join(place, path));
  unlinkSync(join(place, RECORD));
  prune(place);
}

export const removeLink = (place: string): void => unlinkSync(place);
