/** Moves a damaged database out of the way. Nothing is deleted: it may be worth a repair. */
import { existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A path that is free, named for the time; two in the same second get a number. */
function freePath(folder: string, at: number): string {
  const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(':', '-');
  for (let n = 1; ; n++) {
    const path = join(folder, `history.corrupt-${stamp}${n > 1 ? `-${n}` : ''}.db`);
    if (!existsSync(path)) return path;
  }
}

/**
 * Renames `history.db` and its `-wal` and `-shm` to `history.corrupt-<time>.db…` in the same folder.
 *
 * @param at Unix milliseconds, for the name
 * @returns the new path
 * @throws what the file system throws
 */
export function moveAside(path: string, at: number): string {
  const target = freePath(dirname(path), at);
  // The log goes first: left behind by a crash in between, it would be replayed into the fresh file.
  for (const part of ['-wal', '-shm', ''])
    if (existsSync(path + part)) renameSync(path + part, target + part);
  return target;
}
