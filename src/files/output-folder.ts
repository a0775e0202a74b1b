/** The host's output folder as seen from here. Names come from the host: nothing outside the folder is touched. */
import { accessSync, constants, existsSync, realpathSync, type Stats, statSync } from 'node:fs';
import { lstat, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { AssayError, fail, reasonOf } from '../errors/error.ts';
import type { HostFile } from '../host.ts';
import { isInside } from '../lib/inside.ts';
import { cannotRead } from '../lib/plain-file.ts';
import { IMAGE_EXTENSIONS } from '../types/image.ts';
import { glanceAt } from './glance.ts';

/** What a process that died left is older; what is younger may be in the writing. */
const STALE_MS = 60_000;

/** What is no still image, by its ending; it is told of where the folder is all that tells. */
const MOVING = /\.(mp4|webm|mkv|mov|avi|m4v|gifv)$/i;
/** How long a whole file has lain unchanged before it is taken for finished. */
const FINISHED_MS = 500;
/** A file that has no end by then will not get one. */
const UNFINISHED_MS = 60_000;

/** An image file of the folder. */
export interface FoundFile extends HostFile {
  /** Unix milliseconds of the last change. */
  mtimeMs: number;
  /** Why it is no still image, for people: `a video`. */
  moving?: string;
}

export interface OutputFolder {
  /** Real absolute path. */
  readonly root: string;
  /**
   * Real absolute path of a regular file.
   *
   * @throws PATH_OUTSIDE, also for a file that is a link; LINK_OUTSIDE; FILE_NOT_FOUND, FILE_UNREADABLE,
   * OUTPUT_DIR_UNUSABLE
   */
  locate(file: HostFile): Promise<string>;
  /** Its bytes. Throws like `locate`, and IMAGE_TOO_HEAVY. */
  read(file: HostFile): Promise<Uint8Array>;
  /**
   * Image files dated from `since` to `until` (Unix milliseconds). Links to folders are followed where they may be.
   *
   * @param from those that have not been touched since then are left out, whatever they are dated
   * @returns also whether a file was left out because it was changed later
   * @throws OUTPUT_DIR_UNUSABLE
   */
  scan(since: number, until: number, from?: number): Promise<{ found: FoundFile[]; young: boolean }>;
}

interface FolderOptions {
  /** Whether files in it are to be changed or moved. */
  writable: boolean;
  /** Largest file that is read. */
  maxImageBytes: number;
  /** Names of files that a process which died left, and that go at the next scan. */
  leftovers: RegExp;
  /** A folder that is not scanned where it lies inside. */
  except?: string | undefined;
  /** Folders elsewhere that links to folders may lead to. */
  linked?: readonly string[] | undefined;
  /** Whether nothing but the folder tells of its files: what moves is found, too, and files are looked at for their end. */
  alone?: boolean;
}

const unusable = (path: string, cause: unknown) =>
  fail('OUTPUT_DIR_UNUSABLE', { path, reason: reasonOf(cause) }, { cause });

/** @throws OUTPUT_DIR_UNUSABLE when it is missing, no folder, or lacks a permission */
export function openOutputFolder(path: string, options: FolderOptions): OutputFolder {
  let root: string;
  try {
    root = realpathSync(path);
    if (!statSync(root).isDirectory()) throw new Error('it is not a folder');
    accessSync(root, options.writable ? constants.R_OK | constants.W_OK : constants.R_OK);
  } catch (cause) {
    throw unusable(path, cause);
  }
  /** Looked up each time: a disk may be mounted later. */
  const linked = () => (options.linked ?? []).map(realOf);
  const locate = (file: HostFile) => locateIn(root, linked(), file);
  return {
    root,
    locate,
    read: async (file) => readBounded(await locate(file), options.maxImageBytes),
    scan: (since, until, from = 0) =>
      scan(
        root,
        { since, until, from },
        {
          ...options,
          linked: linked(),
          except: options.except && realOf(options.except),
        },
      ),
  };
}

/** What is compared is named by real paths. */
const realOf = (path: string): string => (existsSync(path) ? realpathSync(path) : resolve(path));

const isWithin = (folder: string, path: string): boolean => path === folder || isInside(folder, path);

async function locateIn(root: string, linked: string[], { subfolder, filename }: HostFile): Promise<string> {
  const outside = fail('PATH_OUTSIDE', { path: join(subfolder, filename), folder: root });
  if (`${subfolder}${filename}`.includes('\0')) throw outside;
  const path = resolve(root, subfolder, filename);
  if (!isInside(root, path)) throw outside;
  try {
    const real = await realpath(path);
    if ((await lstat(path)).isSymbolicLink()) throw outside;
    if (![root, ...linked].some((folder) => isInside(folder, real)))
      throw fail('LINK_OUTSIDE', { path, folder: root, target: dirname(real) });
    if (!(await lstat(real)).isFile()) throw new Error('it is not a regular file');
    return real;
  } catch (cause) {
    throw cause instanceof AssayError ? cause : await missing(root, path, cause);
  }
}

/** What it means that a file cannot be found: a folder that is gone takes all its files along. */
async function missing(root: string, path: string, cause: unknown): Promise<AssayError> {
  try {
    await readdir(root);
  } catch (gone) {
    return unusable(root, gone);
  }
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return fail('FILE_NOT_FOUND', { path }, { cause });
  return fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const { size } = await lstat(path);
    if (size > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: size, maxBytes });
    return await readFile(path);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

interface Times {
  since: number;
  until: number;
  from: number;
}

async function scan(root: string, times: Times, options: FolderOptions) {
  const { except, linked, leftovers, alone = false } = options;
  const found: FoundFile[] = [];
  let young = false;
  const walk = { root, except, linked: linked ?? [], seen: new Set([root]) };
  const tell = alone ? seen : dated;
  for await (const path of filesBelow(root, walk)) {
    if (!isTold(path, alone)) {
      if (leftovers.test(basename(path))) await sweep(path);
      continue;
    }
    const stat = await lstat(path).catch(() => undefined);
    const told = stat ? await tell(path, stat, times) : null;
    young ||= told === 'young';
    if (stat && told && told !== 'young')
      found.push({ ...nameOf(root, path), mtimeMs: stat.mtimeMs, ...told });
  }
  return { found, young };
}

/** Whether a file is told of: an image, and what moves, where nothing else tells of it. */
const isTold = (path: string, alone: boolean): boolean =>
  IMAGE_EXTENSIONS.includes(extname(path).toLowerCase()) || (alone && MOVING.test(path));

type Told = Pick<FoundFile, 'moving'> | 'young' | null;

/** By its date alone; `young` when it may be in the writing, null when it is not asked for. */
function dated(_path: string, stat: Stats, times: Times): Told {
  if (stat.mtimeMs > times.until) return 'young';
  return isWanted(stat, times) ? {} : null;
}

/** By its date, and by a look at it. */
async function seen(path: string, stat: Stats, times: Times): Promise<Told> {
  if (!isWanted(stat, times)) return null;
  if (MOVING.test(path)) return { moving: 'a video' };
  const { isWhole, isAnimated } = await glanceAt(path);
  const age = Date.now() - stat.mtimeMs;
  const isFinished =
    isWhole === null ? stat.mtimeMs <= times.until : age >= (isWhole ? FINISHED_MS : UNFINISHED_MS);
  if (!isFinished) return 'young';
  return isAnimated ? { moving: 'animated' } : {};
}

/** A file that is copied or renamed into place keeps its date; that it was touched shows all the same. */
const isWanted = ({ mtimeMs, ctimeMs }: Stats, { since, from }: Times): boolean =>
  mtimeMs >= since && Math.max(mtimeMs, ctimeMs) >= from;

/** Hosts write subfolders with a slash. */
function nameOf(root: string, path: string): HostFile {
  const parts = relative(root, path).split(sep);
  return { type: 'output', subfolder: parts.slice(0, -1).join('/'), filename: parts.at(-1)! };
}

/** The change time tells its age: a copy is dated like what it was copied from. */
async function sweep(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat && Date.now() - stat.ctimeMs > STALE_MS) await rm(path, { force: true }).catch(() => {});
}

interface Walk {
  root: string;
  except: string | undefined;
  linked: readonly string[];
  /** Real paths of the folders that were entered: links may lead in circles. */
  seen: Set<string>;
}

/** Below the top, a folder that cannot be read, or is gone by now, holds nothing. */
async function* filesBelow(folder: string, walk: Walk): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    if (folder === walk.root) throw unusable(walk.root, cause);
    return [];
  });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (entry.isDirectory() || entry.isSymbolicLink()) {
      const isNew = await enters(path, entry.isSymbolicLink(), walk);
      if (isNew) yield* filesBelow(path, walk);
    }
  }
}

/** Whether it is a folder that is looked into, and was not yet. */
async function enters(path: string, isLink: boolean, { except, linked, seen }: Walk): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || real === except || seen.has(real)) return false;
  if (isLink && !linked.some((folder) => isWithin(folder, real))) return false;
  if (isLink && !(await lstat(real)).isDirectory()) return false;
  seen.add(real);
  return true;
}
