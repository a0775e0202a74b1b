/** Moves a file without ever overwriting another, and without a moment at which it is nowhere. */
import { constants } from 'node:fs';
import { copyFile, link, lstat, open, rename, rm, unlink, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Ending of a copy that is not whole yet. */
export const PART = '.part';

/** File systems that know no second name for a file, or another disk. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES']);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** Makes what was written last through a power cut; not every platform can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/**
 * Moves a file. Stopped half-way, it is at both places.
 *
 * @throws EEXIST when something is at `to`; else what the file system throws
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
  if (now.ino === before.ino && now.mtimeMs === before.mtimeMs) await unlink(from);
}

/** The copy gets its name once it is whole. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = to + PART;
  await rm(part, { force: true });
  await copyFile(from, part, constants.COPYFILE_EXCL);
  const { atime, mtime } = await lstat(from);
  await utimes(part, atime, mtime);
  const handle = await open(part, 'r+');
  await handle.sync().finally(() => handle.close());
  try {
    await link(part, to);
    await unlink(part);
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
