/** Where the rated images are: ratings files name them with or without folder and extension. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, parse, relative, resolve } from 'node:path';
import { fail } from '../errors.ts';
import { IMAGE_EXTENSIONS } from '../types.ts';

/**
 * Finds the file of an image name in a folder or in its subfolder `images`: by exact name first, then with another
 * or no extension. Names that lead out of the folder are not followed.
 *
 * @returns a function from name to path, or null when there is no such file
 * @throws FILE_NOT_FOUND when the folder does not exist
 */
export function imageFinder(folder: string): (name: string) => string | null {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw fail('FILE_NOT_FOUND', { path: folder });
  const roots = [resolve(folder), resolve(folder, 'images')];
  const listing = cached(listImages);
  return (name) => {
    const local = name.replaceAll('\\', '/');
    for (const root of roots) {
      const path = join(root, local);
      if (leadsOut(relative(root, path))) continue;
      const file = pick(listing(dirname(path)), basename(path));
      if (file) return join(dirname(path), file);
    }
    return null;
  };
}

/** The folder itself is no image either. */
const leadsOut = (path: string): boolean => path === '' || /^\.\.([\\/]|$)/.test(path);

function cached<V>(make: (key: string) => V): (key: string) => V {
  const made = new Map<string, V>();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key)!;
  };
}

interface Listing {
  /** Everything in the folder: whether it is an image shows when it is read. */
  files: Set<string>;
  /** Image files by name without extension. */
  stems: Map<string, string>;
}

const order = (file: string): number => IMAGE_EXTENSIONS.indexOf(parse(file).ext.toLowerCase());

function listImages(folder: string): Listing {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    names = []; // a folder that only the ratings file knows: its images are missing
  }
  // the last entry of a stem wins, so the best extension comes last
  const images = names.filter((n) => order(n) >= 0).sort((a, b) => order(b) - order(a));
  return { files: new Set(names), stems: new Map(images.map((f) => [parse(f).name, f])) };
}

/** A name may hold dots of its own ("sd1.5_001"), so only a known extension is taken off. */
function pick({ files, stems }: Listing, name: string): string | undefined {
  if (files.has(name)) return name;
  return stems.get(name) ?? (order(name) >= 0 ? stems.get(parse(name).name) : undefined);
}
