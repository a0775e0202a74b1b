/** The host's output folder as seen from here. Names come from the host: nothing outside the folder is touched. */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { AssayError, fail, reasonOf } from '../errors.ts';
import type { HostFile } from '../host.ts';
import { IMAGE_EXTENSIONS } from '../types.ts';

/** An image file of the folder. */
export interface FoundFile extends HostFile {
  /** Unix milliseconds of the last change. */
  mtimeMs: number;
}

export interface OutputFolder {
  /** Real absolute path. */
  readonly root: string;
  /**
   * Real absolute path of a regular file.
   *
   * @throws PATH_OUTSIDE, also for links; FILE_NOT_FOUND, FILE_UNREADABLE, OUTPUT_DIR_UNUSABLE
   */
  locate(file: HostFile): Promise<string>;
  /** Its bytes. Throws like `locate`, and IMAGE_TOO_HEAVY. */
  read(file: HostFile): Promise<Uint8Array>;
  /**
   * Image files changed from `since` to `until` (Unix milliseconds), links not followed.
   *
   * @returns also whether a file was left out because it was changed later
   * @throws OUTPUT_DIR_UNUSABLE
   */
  scan(since: number, until: number): Promise<{ found: FoundFile[]; young: boolean }>;
}

interface FolderOptions {
  /** Whether files in it are to be changed or moved. */
  writable: boolean;
  /** Largest file that is read. */
  maxImageBytes: number;
  /** A folder that is not scanned where it lies inside. */
  except?: string | undefined;
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
  const locate = (file: HostFile) => locateIn(root, file);
  return {
    root,
    locate,
    read: async (file) => readBounded(await locate(file), options.maxImageBytes),
    scan: (since, until) => scan(root, since, until, options.except),
  };
}

const isInside = (root: string, path: string): boolean =>
  path.startsWith(root.endsWith(sep) ? root : root + sep);

async function locateIn(root: string, { subfolder, filename }: HostFile): Promise<string> {
  const outside = fail('PATH_OUTSIDE', { path: join(subfolder, filename), folder: root });
  if (`${subfolder}${filename}`.includes('\0')) throw outside;
  const path = resolve(root, subfolder, filename);
  if (!isInside(root, path)) throw outside;
  try {
    const real = await realpath(path);
    if (!isInside(root, real) || (await lstat(path)).isSymbolicLink()) throw outside;
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
    if (cause instanceof AssayError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw fail('FILE_NOT_FOUND', { path }, { cause });
    throw fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

async function scan(root: string, since: number, until: number, except?: string) {
  const found: FoundFile[] = [];
  let young = false;
  for await (const path of imagesBelow(root, root, except)) {
    const stat = await lstat(path).catch(() => undefined);
    if (!stat || stat.mtimeMs < since) continue;
    if (stat.mtimeMs > until) young = true;
    else found.push({ ...nameOf(root, path), mtimeMs: stat.mtimeMs });
  }
  return { found, young };
}

/** Hosts write subfolders with a slash. */
function nameOf(root: string, path: string): HostFile {
  const parts = relative(root, path).split(sep);
  return { type: 'output', subfolder: parts.slice(0, -1).join('/'), filename: parts.at(-1)! };
}

/** Below the top, a folder that cannot be read, or is gone by now, holds nothing. */
async function* imagesBelow(folder: string, root: string, except?: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    if (folder === root) throw unusable(root, cause);
    return [];
  });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && path !== except) yield* imagesBelow(path, root, except);
    else if (entry.isFile() && IMAGE_EXTENSIONS.includes(extname(entry.name).toLowerCase())) yield path;
  }
}
