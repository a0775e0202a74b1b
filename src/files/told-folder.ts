/** The output folder of a host that names it itself. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { type AssayError, fail } from '../errors/error.ts';
import type { Host, ToldFolders } from '../host.ts';
import { isHere } from '../lib/here.ts';
import { isInside } from '../lib/inside.ts';
import { fewOf } from '../lib/words.ts';

/** How deep below their common folder those of the images may lie; else there is more in it than images. */
const MOST_DEPTH = 2;

const isTooWide = (root: string, { images }: ToldFolders): boolean =>
  dirname(root) === root || images.some((folder) => relative(root, folder).split(sep).length > MOST_DEPTH);

/** @throws OUTPUT_DIR_UNKNOWN, and errors of the host */
export async function folderToldBy(host: Host, signal: AbortSignal): Promise<string> {
  const unknown = (reason: string) => fail('OUTPUT_DIR_UNKNOWN', { url: host.url, reason });
  const told = (await host.folders?.(signal)) ?? null;
  if (!told) throw unknown('it does not tell it');
  const { root, images } = told;
  if (root === null) throw unknown(`it says ${fewOf(images)}, below a folder that it does not tell`);
  if (!isHere(host.url)) throw unknown(`it is on another machine, where it writes to ${root}`);
  if (isTooWide(root, told)) throw unknown(`its images go to several places: ${fewOf(images)}`);
  if (!existsSync(root))
    throw unknown(`it says ${root}, which is not there, or not yet: it is made with the first image`);
  return root;
}

const realOf = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

const touches = (a: string, b: string): boolean => a === b || isInside(a, b) || isInside(b, a);

/** Whether the host writes elsewhere, where that can be known: it tells its folders, and they are there. */
export async function doubtOn(host: Host, path: string, signal: AbortSignal): Promise<AssayError | null> {
  if (!isHere(host.url)) return null;
  const told = (await host.folders?.(signal).catch(() => null)) ?? null;
  const images = told?.root ? told.images.filter((folder) => existsSync(folder)) : [];
  if (images.length === 0 || images.some((folder) => touches(realOf(folder), realOf(path)))) return null;
  return fail('OUTPUT_DIR_OTHER', { url: host.url, path, told: fewOf(images) });
}
