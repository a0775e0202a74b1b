/** Names on the command line to images: files, folders, globs. */
import { type Stats, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, isAbsolute, join, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { fail, reasonOf } from '../errors.ts';
import { IMAGE_EXTENSIONS, type ImageInput, type ScoreItem } from '../types.ts';

const isImage = (path: string): boolean => IMAGE_EXTENSIONS.includes(extname(path).toLowerCase());

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

async function imagesIn(pattern: string, cwd?: string): Promise<string[]> {
  const found = await glob(pattern, {
    ...(cwd && { cwd }),
    onlyFiles: true,
    expandDirectories: false,
    absolute: isAbsolute(pattern),
  });
  return found.filter(isImage).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

async function expand(name: string): Promise<string[]> {
  const stat = statOf(name);
  if (stat?.isFile()) return [name];
  const extensions = IMAGE_EXTENSIONS.join(' ');
  if (stat?.isDirectory()) {
    const found = await imagesIn('**/*', name);
    if (found.length === 0) throw fail('NO_IMAGES', { path: name, extensions });
    return found.map((file) => join(name, file));
  }
  if (!isDynamicPattern(name)) throw fail('FILE_NOT_FOUND', { path: name });
  const found = await imagesIn(name);
  if (found.length === 0) throw fail('NO_IMAGES', { path: name, extensions });
  return found;
}

/** What was found, and the names that led nowhere. */
export interface Expanded {
  paths: string[];
  failures: { name: string; error: unknown }[];
}

/** Expands each name; one that leads nowhere does not stop the others. */
export async function expandImages(names: string[]): Promise<Expanded> {
  const expanded: Expanded = { paths: [], failures: [] };
  for (const name of names) {
    try {
      expanded.paths.push(...(await expand(name)));
    } catch (error) {
      expanded.failures.push({ name, error });
    }
  }
  const unique = new Map(expanded.paths.map((path) => [resolve(path), path]));
  return { ...expanded, paths: [...unique.values()] };
}

/** The bytes of an image file. @throws FILE_NOT_FOUND, FILE_UNREADABLE */
export async function readImage(path: string): Promise<ImageInput> {
  try {
    return { kind: 'encoded', bytes: await readFile(path) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw fail('FILE_NOT_FOUND', { path }, { cause });
    throw fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** An image file as an item to score; read when its turn comes. */
export const fileItem = (path: string, prompt: string | null): ScoreItem => ({
  id: path,
  source: path,
  prompt,
  fetch: () => readImage(path),
});
