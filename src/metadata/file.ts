/** Scores in files on disk. A file is replaced whole, or left as it is. */
import { hash, randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AssayError, fail, reasonOf } from '../errors.ts';
import { type Contents, cannotRead, readWhole } from '../plain-file.ts';
import { readScore, type ScoreRecord, writeScore } from './metadata.ts';

/** Names of the copies that a process leaves when it dies in the midst of a write. */
export const LEFTOVER = /^\.assay-[0-9a-f-]{36}\.tmp$/;

interface Target extends Contents {
  /** The file itself, links followed. */
  target: string;
}

/** @throws FILE_NOT_FOUND, FILE_UNREADABLE */
async function contentsOf(path: string): Promise<Target> {
  const target = await realpath(path).catch((cause) => {
    throw cannotRead(path, cause);
  });
  return { target, ...(await readWhole(target, path)) };
}

/** The score that a file carries, or null. @throws FILE_NOT_FOUND, FILE_UNREADABLE, METADATA_UNSUPPORTED, IMAGE_CORRUPT */
export const readTag = async (path: string): Promise<ScoreRecord | null> =>
  readScore((await contentsOf(path)).bytes, path);

const unwritable = (path: string, reason: string, cause?: unknown) =>
  fail('METADATA_UNWRITABLE', { path, reason }, { cause });

const seconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e9;

/** Gives the copy the owner, mode and times of the file. */
async function takeAfter(
  handle: FileHandle,
  { uid, gid, mode, atimeNs, mtimeNs }: BigIntStats,
): Promise<void> {
  // Only root may give files away; for all others the new file is theirs, as any they save.
  await handle.chown(Number(uid), Number(gid)).catch(() => undefined);
  await handle.chmod(Number(mode) & 0o7777);
  await handle.utimes(seconds(atimeNs), seconds(mtimeNs));
}

async function writeCopy(path: string, bytes: Uint8Array, like: BigIntStats): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await takeAfter(handle, like);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const SAME = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;

/** Whether nobody has written to the file or replaced it since. */
async function isUnchanged({ target, stats }: Target): Promise<boolean> {
  const now = await stat(target, { bigint: true });
  return SAME.every((key) => now[key] === stats[key]);
}

/** So that the new name survives a power cut; not every platform can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function replaceWith(bytes: Uint8Array, contents: Target, path: string): Promise<void> {
  const folder = dirname(contents.target);
  // Hidden, and no image by its name: folders are watched for images.
  const copy = join(folder, `.assay-${randomUUID()}.tmp`);
  try {
    await writeCopy(copy, bytes, contents.stats);
    if (!(await isUnchanged(contents))) throw unwritable(path, 'it was changed meanwhile');
    await rename(copy, contents.target);
  } catch (cause) {
    await rm(copy, { force: true }).catch(() => undefined);
    throw cause instanceof AssayError ? cause : unwritable(path, reasonOf(cause), cause);
  }
  await syncFolder(folder);
}

/**
 * Keeps a score in an image file. The file is replaced in one step, with its mode and times kept; links to it stay links.
 *
 * @param sha256 hex digest that the file must have: refuses one that is no longer what was scored
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, METADATA_UNSUPPORTED, METADATA_UNWRITABLE; the file is then as it was
 */
export async function tagFile(path: string, record: ScoreRecord, sha256?: string): Promise<void> {
  const contents = await contentsOf(path);
  const { bytes } = contents;
  if (sha256 !== undefined && hash('sha256', bytes) !== sha256)
    throw unwritable(path, 'it was changed since it was scored');
  await replaceWith(writeScore(bytes, record, path), contents, path);
}
