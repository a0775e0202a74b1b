/** `--move-rejects` and `--copy-top`: what is done to the image files. Nothing is ever overwritten. */
import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, lstat, readFile, utimes } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve, sep } from 'node:path';
import { fail, reasonOf } from '../../errors/error.ts';
import { openRejectBin } from '../../files/rejects/bin.ts';
import { createFolder } from '../../lib/folder.ts';
import type { ScoreResult } from '../../types/result.ts';

/** Stands for the host in the sidecars of images that no host made. */
const LOCAL = 'file:';

export interface Mover {
  /** Moves the image when it was rejected. @throws FILE_NOT_MOVED, MOVE_DENIED, REJECT_BIN_UNUSABLE */
  move(path: string, result: ScoreResult, isTagged: boolean): Promise<void>;
  readonly moved: number;
  readonly folder: string;
}

const unmoved = (path: string, reason: string, cause?: unknown) =>
  fail('FILE_NOT_MOVED', { path, reason }, { cause });

/** Hex digest of the file, which must be what was scored, or that with its score in it. @throws FILE_NOT_MOVED */
async function digestOf(path: string, { sha256 }: ScoreResult, isTagged: boolean): Promise<string> {
  const stat = await lstat(path).catch((cause) => {
    throw unmoved(path, reasonOf(cause), cause);
  });
  if (stat.isSymbolicLink()) throw unmoved(path, 'it is a link');
  if (!stat.isFile()) throw unmoved(path, 'it is not a file');
  const bytes = await readFile(path).catch((cause) => {
    throw unmoved(path, reasonOf(cause), cause);
  });
  const now = hash('sha256', bytes);
  if (!isTagged && now !== sha256) throw unmoved(path, 'it was changed since it was scored');
  return now;
}

/** @throws REJECT_BIN_UNUSABLE */
export async function openMover(dir: string): Promise<Mover> {
  const bin = openRejectBin(resolve(dir));
  await bin.prepare();
  let moved = 0;
  return {
    folder: bin.folder,
    async move(path, result, isTagged) {
      if (result.decision !== 'reject') return;
      const sha256 = await digestOf(path, result, isTagged);
      const original = resolve(path);
      // Files of one name and content in two folders are two images.
      const subfolder = dirname(original).split(sep).filter(Boolean).join('/');
      const image = { type: 'output' as const, subfolder, filename: basename(original) };
      await bin.put(original, { host: LOCAL, image, at: Date.now(), sha256, result });
      moved++;
    },
    get moved() {
      return moved;
    },
  };
}

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

const sameBytes = async (a: string, b: string): Promise<boolean> =>
  (await readFile(a)).equals(await readFile(b));

/** Copies under a free name: `cat.png`, `cat (2).png`. @returns false when that image is there already */
async function copyInto(folder: string, path: string): Promise<boolean> {
  const { name, ext } = parse(path);
  for (let n = 1; ; n++) {
    const target = join(folder, n === 1 ? `${name}${ext}` : `${name} (${n})${ext}`);
    try {
      await copyFile(path, target, constants.COPYFILE_EXCL);
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (await sameBytes(path, target)) return false;
      continue;
    }
    const { atime, mtime } = await lstat(path);
    await utimes(target, atime, mtime);
    return true;
  }
}

export interface Copied {
  copied: number;
  /** Those that were there already. */
  present: number;
  errors: unknown[];
}

/** Copies images into a folder, which is made when absent. @throws FILE_NOT_COPIED when it cannot be */
export async function copyAll(folder: string, paths: readonly string[]): Promise<Copied> {
  const done: Copied = { copied: 0, present: 0, errors: [] };
  const uncopied = (path: string, cause: unknown) =>
    fail('FILE_NOT_COPIED', { path, folder, reason: reasonOf(cause) }, { cause });
  try {
    createFolder(folder);
  } catch (cause) {
    throw uncopied('the listed images', cause);
  }
  for (const path of paths)
    try {
      if (await copyInto(folder, path)) done.copied++;
      else done.present++;
    } catch (cause) {
      done.errors.push(uncopied(path, cause));
    }
  return done;
}
