/** Step 2, fetch: a file read on behalf of a client, only below a folder that the config allows. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { fail } from '../../../errors/error.ts';
import { isInside, nearestReal } from '../../../lib/inside.ts';
import { cannotRead } from '../../../lib/plain-file.ts';

async function readWhole(
  handle: FileHandle,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const info = await handle.stat();
  if (!info.isFile()) throw fail('FILE_UNREADABLE', { path, reason: 'not a regular file' });
  if (info.size > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: info.size, maxBytes });
  return await handle.readFile({ signal });
}

/** Non-blocking, so that a named pipe cannot hang the read; the links are resolved already. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

async function openFile(real: string, path: string): Promise<FileHandle> {
  try {
    return await open(real, OPEN_FLAGS);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

/**
 * Reads a file for a client.
 *
 * @param path absolute path as the client sent it
 * @param allowedDirs folders that may be read, with all below them
 * @throws PATH_NOT_ALLOWED also when a link leads outside, FILE_NOT_FOUND, FILE_UNREADABLE, IMAGE_TOO_HEAVY
 */
export async function readAllowed(
  path: string,
  allowedDirs: readonly string[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const roots = await Promise.all(allowedDirs.map((dir) => nearestReal(resolve(dir))));
  const candidates = [...roots, ...allowedDirs.map((dir) => resolve(dir))];
  // checked as text first: merely looking at a path can matter, e.g. a network share on Windows
  const looksAllowed =
    isAbsolute(path) && !path.includes('\0') && candidates.some((d) => isInside(d, resolve(path)));
  const real = looksAllowed ? await nearestReal(resolve(path)) : null;
  if (real === null || !roots.some((root) => isInside(root, real))) throw fail('PATH_NOT_ALLOWED', { path });
  const handle = await openFile(real, path);
  try {
    return await readWhole(handle, path, maxBytes, signal);
  } finally {
    await handle.close();
  }
}
