/**
 * Files that are read whole before anything else happens. To open a pipe is to wait for who writes into it, where no
 * signal is heard, and a device has no end: neither is a file, unless the shell opened it for us, as in `<(command)`.
 */
import { type BigIntStats, lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AssayError, fail, reasonOf } from './errors.ts';

const DESCRIPTOR = /^\/(?:dev\/std(?:in|out|err)|(?:dev|proc\/.+)\/fd\/\d+)$/;

/** Links that are followed, so that a loop of them ends. */
const MOST_LINKS = 40;

function follow(path: string, links = MOST_LINKS): string | undefined {
  if (DESCRIPTOR.test(path)) return path;
  const folder = realpathSync(dirname(path));
  const place = join(folder, basename(path));
  if (DESCRIPTOR.test(place)) return place;
  if (links === 0 || !lstatSync(place).isSymbolicLink()) return undefined;
  return follow(resolve(folder, readlinkSync(place)), links - 1);
}

/** The name of what a process has open, as `/dev/stdout`, that a path leads to; undefined for a place on a disk. */
export function descriptorOf(path: string): string | undefined {
  try {
    return follow(resolve(path));
  } catch {
    return undefined; // where there is nothing
  }
}

const NO_FILE = 'it is not a file';
/** Largest file that is read whole, in bytes. */
const MOST_BYTES = 256 * 2 ** 20;

/** What was thrown while a file was read, as an error of the table. */
export function cannotRead(path: string, cause: unknown): AssayError {
  if (cause instanceof AssayError) return cause;
  if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return fail('FILE_NOT_FOUND', { path }, { cause });
  return fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
}

/** @throws what the file system throws, and Error for what is not a file */
export function readPlainFile(path: string): Buffer {
  const stat = statSync(path);
  if (!stat.isFile() && !stat.isDirectory() && descriptorOf(path) === undefined) throw new Error(NO_FILE);
  return readFileSync(path);
}

/** A file that the user named. @throws FILE_NOT_FOUND, FILE_UNREADABLE */
export function readNamedFile(path: string): Buffer {
  try {
    return readPlainFile(path);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

export interface Contents {
  bytes: Buffer;
  /** As they were before it was read. */
  stats: BigIntStats;
}

/**
 * A file that others may write to meanwhile: what is told of it is of what was read.
 *
 * @param name of it in errors
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE
 */
export async function readWhole(path: string, name = path): Promise<Contents> {
  try {
    // To open a pipe waits for its writer, so its kind is looked up first.
    if (descriptorOf(path) === undefined && !(await stat(path)).isFile()) throw new Error(NO_FILE);
    const handle = await open(path, 'r');
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw new Error(NO_FILE);
      if (stats.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES / 2 ** 20} MiB`);
      return { bytes: await handle.readFile(), stats };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw cannotRead(name, cause);
  }
}
