/**
 * Files that are read whole before anything else happens. To open a pipe is to wait for who writes into it, where no
 * signal is heard, and a device has no end: neither is a file, unless the shell opened it for us, as in `<(command)`.
 */
import { lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

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

/** @throws what the file system throws, and Error for what is not a file */
export function readPlainFile(path: string): Buffer {
  const stat = statSync(path);
  if (!stat.isFile() && !stat.isDirectory() && descriptorOf(path) === undefined)
    throw new Error('it is not a file');
  return readFileSync(path);
}
