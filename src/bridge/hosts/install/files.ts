/** Files of a folder by relative path with forward slashes, and their hashes. */
import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const CACHE = '__pycache__';

/** Something that holds nothing further: a file, a link (never followed) or an empty folder. */
export interface Leaf {
  /** Relative, with forward slashes. */
  path: string;
  kind: 'file' | 'other';
}

const leavesOf = (folder: string, entry: Dirent, path: string): Leaf[] => {
  if (!entry.isDirectory()) return [{ path, kind: entry.isFile() ? 'file' : 'other' }];
  const inner = leaves(folder, path);
  return inner.length > 0 ? inner : [{ path, kind: 'other' }];
};

/** Leaves below `folder`, in order of their paths. Python's caches are left out: Python makes them anew. */
export function leaves(folder: string, below = ''): Leaf[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .filter((entry) => entry.name !== CACHE)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => leavesOf(folder, entry, below ? `${below}/${entry.name}` : entry.name));
}

export const sha256Of = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');
