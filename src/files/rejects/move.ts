/** Moves a file without ever overwriting another, and without a moment at which it is nowhere. */
import { constants } from 'node:fs';
import { chmod, copyFile, link, lstat, open, rename, rm, unlink, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fail, reasonOf } from '../../errors/error.ts';
import { syncFolder } from '../../lib/sync-folder.ts';

/** Ending of a copy that is not whole yet. */
export const PART = '.part';

/** File systems that know no second name for a file, or another disk. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES']);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/**
 * Moves a file. Stopped half-way, it is at both places; failing, it is where it was.
 *
 * @throws MOVE_DENIED when its old name cannot be taken away, EEXIST when something is at `to`; else what the file
 *   system throws
 */
export async function moveFile(from: string, to: string): Promise<void> {
  const before = await lstat(from);
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINK.has(codeOf(error))) throw error;
    await copyWhole(from, to);
  }
  await syncFolder(dirname(to));
  // Its name may belong to another file by now, which is not ours to delete.
  const now = await lstat(from);
  if (now.ino !== before.ino || now.mtimeMs !== before.mtimeMs) return;
  try {
    await takeAway(from);
  } catch (error) {
    await unlink(to);
    throw error;
  }
}

/** Takes the name of a file away; gone is as good. @throws MOVE_DENIED */
export async function takeAway(path: string): Promise<void> {
  await unlink(path).catch((cause) => {
    if (codeOf(cause) !== 'ENOENT') throw fail('MOVE_DENIED', { path, reason: reasonOf(cause) }, { cause });
  });
}

/** The copy gets its name once it is whole; nothing is left of one that fails. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = to + PART;
  await rm(part, { force: true });
  try {
    await copyFile(from, part, constants.COPYFILE_EXCL);
    await finishCopy(from, part);
    await giveName(part, to);
  } finally {
    await rm(part, { force: true });
  }
}

/** Makes a copy last, with the times and the mode of what it was made from. */
async function finishCopy(from: string, part: string): Promise<void> {
  const { atime, mtime, mode } = await lstat(from);
  // The copy of a read-only file is read-only, and would not open to be synced.
  await chmod(part, mode | 0o200);
  await utimes(part, atime, mtime);
  const handle = await open(part, 'r+');
  try {
    await handle.sync();
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}

async function giveName(part: string, to: string): Promise<void> {
  try {
    await link(part, to);
  } catch (error) {
    if (!NO_LINK.has(codeOf(error))) throw error;
    await renameToFree(part, to);
  }
}

/** For file systems without links, where looking and naming are two steps. */
async function renameToFree(part: string, to: string): Promise<void> {
  const taken = await lstat(to).catch(() => undefined);
  if (taken) throw Object.assign(new Error(`${to} exists`), { code: 'EEXIST' });
  await rename(part, to);
}
