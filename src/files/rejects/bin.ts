/**
 * The reject bin: `<folder>/<day>/<name>.<id>.png`, and beside each image a sidecar that says why.
 *
 * The sidecar is written first, then the image is moved: whenever the process dies, the image is at its old place, in
 * the bin, or at both, and putting it in once more finishes what was begun.
 */
import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { AssayError, fail, reasonOf } from '../../errors/error.ts';
import type { HostFile } from '../../host.ts';
import { createFolder } from '../../lib/folder.ts';
import type { ScoreResult } from '../../types/result.ts';
import { moveFile, PART, takeAway } from './move.ts';
import { HALF_SIDECAR, readSidecar, SIDECAR, type Sidecar, writeSidecar } from './sidecar.ts';

/** An image on its way into the bin. */
export interface Entry {
  /** Address of the host that made it, and the host's name for it. */
  host: string;
  image: HostFile;
  /** Unix milliseconds when it was fetched; that day (UTC) names the folder. */
  at: number;
  /** Hex digest of the file as it is now. */
  sha256: string;
  result: ScoreResult;
}

/** An image in the bin. */
export interface Rejected extends Sidecar {
  /** Absolute path in the bin. */
  path: string;
  bytes: number;
}

export interface RejectBin {
  readonly folder: string;
  /** Makes the folder, and clears what interrupted moves left. @throws REJECT_BIN_UNUSABLE */
  prepare(): Promise<void>;
  /** Whether the image is in. */
  holds(entry: Entry): Promise<boolean>;
  /**
   * Moves the file in; one that is in already has its old name taken away.
   *
   * @throws MOVE_DENIED, REJECT_BIN_UNUSABLE; the file is where it was then, and nothing of it in the bin
   */
  put(path: string, entry: Entry): Promise<void>;
  /** What is in, oldest day first. An absent folder is an empty one. */
  list(): Promise<Rejected[]>;
  /** @throws RESTORE_CONFLICT when something is at that path */
  checkFree(target: string): Promise<void>;
  /** Moves an image back out, to an absolute path. @throws RESTORE_CONFLICT, MOVE_DENIED, FILE_UNREADABLE */
  restore(rejected: Rejected, target: string): Promise<void>;
  /** Deletes an image for good. */
  purge(rejected: Rejected): Promise<void>;
}

/** Longest part of the old name that is kept, so that sidecar and all fit into 255 bytes. */
const MAX_STEM = 60;
/** What a crash left is older than this; what is younger may be in the making. */
const STALE_MS = 60_000;

/** The same image of the same name gets the same id, so that a second try finds the first. */
function idOf({ host, image, result }: Entry): string {
  const parts = [host, image.type, image.subfolder, image.filename, result.sha256 ?? ''];
  return hash('sha256', parts.join('\0')).slice(0, 12);
}

function placeOf(folder: string, entry: Entry): { day: string; path: string } {
  const { name, ext } = parse(entry.image.filename);
  const stem = [...name].slice(0, MAX_STEM).join('');
  const day = join(folder, new Date(entry.at).toISOString().slice(0, 10));
  return { day, path: join(day, `${stem}.${idOf(entry)}${ext}`) };
}

const sidecarOf = (original: string, entry: Entry): Sidecar => ({
  version: 1,
  id: idOf(entry),
  original,
  host: entry.host,
  image: { type: entry.image.type, subfolder: entry.image.subfolder, filename: entry.image.filename },
  sha256: entry.sha256,
  movedAt: new Date().toISOString(),
  reasons: entry.result.reasons,
  result: entry.result,
});

const exists = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined)) !== undefined;

/** Takes away the old name of a file that is in the bin, if it still is that file. */
async function finishMove(path: string, inBin: string, sha256: string): Promise<void> {
  const [old, moved] = await Promise.all([lstat(path).catch(() => undefined), lstat(inBin)]);
  if (!old) return;
  const isSame = old.ino === moved.ino && old.dev === moved.dev;
  if (isSame || hash('sha256', await readFile(path)) === sha256) await takeAway(path);
}

/** Files of all days, the oldest day first. */
async function* filesIn(folder: string): AsyncGenerator<string> {
  const days = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const day of days.filter((d) => d.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1)))
    for (const name of await readdir(join(folder, day.name)).catch(() => []))
      yield join(folder, day.name, name);
}

/** @param clock `ctimeMs` for copies, which are dated like what they were copied from */
async function isStale(path: string, clock: 'mtimeMs' | 'ctimeMs'): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  return stat !== undefined && Date.now() - stat[clock] > STALE_MS;
}

/** Halves of files, and sidecars whose image is not in: it stayed where it was, or was restored. */
async function clear(folder: string): Promise<void> {
  for await (const path of filesIn(folder)) {
    const isHalf = path.endsWith(PART) || HALF_SIDECAR.test(path);
    const isLonely = path.endsWith(SIDECAR) && !(await exists(path.slice(0, -SIDECAR.length)));
    if ((isHalf || isLonely) && (await isStale(path, isHalf ? 'ctimeMs' : 'mtimeMs')))
      await rm(path, { force: true });
  }
}

/** @param folder absolute path; made when it is first needed */
export function openRejectBin(folder: string): RejectBin {
  const usable = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof AssayError) throw cause;
      throw fail('REJECT_BIN_UNUSABLE', { path: folder, reason: reasonOf(cause) }, { cause });
    }
  };

  async function bringIn(path: string, entry: Entry): Promise<void> {
    const place = placeOf(folder, entry);
    if (await exists(place.path)) return finishMove(path, place.path, entry.sha256);
    createFolder(place.day);
    await writeSidecar(place.path + SIDECAR, sidecarOf(path, entry));
    try {
      await moveFile(path, place.path);
    } catch (error) {
      if (!(await exists(place.path))) await rm(place.path + SIDECAR, { force: true });
      throw error;
    }
  }

  return {
    folder,
    prepare: () =>
      usable(async () => {
        createFolder(folder, 0o700);
        await access(folder, constants.W_OK);
        await clear(folder);
      }),
    holds: (entry) => exists(placeOf(folder, entry).path),
    put: (path, entry) => usable(() => bringIn(path, entry)),
    async list() {
      const found: Rejected[] = [];
      for await (const sidecar of filesIn(folder)) {
        if (!sidecar.endsWith(SIDECAR)) continue;
        const path = sidecar.slice(0, -SIDECAR.length);
        const [about, stat] = [await readSidecar(sidecar), await lstat(path).catch(() => undefined)];
        if (about && stat?.isFile()) found.push({ ...about, path, bytes: stat.size });
      }
      return found;
    },
    async checkFree(target) {
      if (await exists(target)) throw fail('RESTORE_CONFLICT', { path: target });
    },
    async restore(rejected, target) {
      try {
        createFolder(dirname(target));
        await moveFile(rejected.path, target);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
          throw fail('RESTORE_CONFLICT', { path: target }, { cause });
        if (cause instanceof AssayError) throw cause;
        throw fail('FILE_UNREADABLE', { path: target, reason: reasonOf(cause) }, { cause });
      }
      await rm(rejected.path + SIDECAR, { force: true });
    },
    async purge(rejected) {
      await rm(rejected.path, { force: true });
      await rm(rejected.path + SIDECAR, { force: true });
    },
  };
}
