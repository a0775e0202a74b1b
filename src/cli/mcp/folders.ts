/** The folders whose files an agent may name. Links are resolved before anything is believed. */
import { realpathSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { fail } from '../../errors/error.ts';
import { isInside, nearestReal } from '../../lib/inside.ts';
import { cannotRead } from '../../lib/plain-file.ts';
import { usage } from '../input/flags.ts';

export interface Folders {
  /** Real paths. Names without a folder are relative to the first. */
  readonly roots: readonly string[];
  /** The real path of what is there. @throws PATH_NOT_ALLOWED, FILE_NOT_FOUND, FILE_UNREADABLE */
  existing(name: string): Promise<string>;
  /** The real path of what may be there or not. @throws PATH_NOT_ALLOWED */
  place(name: string): Promise<string>;
  /** Whether a real path lies in one of them. */
  hold(real: string): boolean;
  /** As the agent may name it: relative to the first folder where it lies there. */
  shown(real: string): string;
}

/** @throws USAGE, FILE_NOT_FOUND, FILE_UNREADABLE */
function rootOf(name: string): string {
  try {
    const real = realpathSync(name);
    if (statSync(real).isDirectory()) return real;
  } catch (cause) {
    throw cannotRead(name, cause);
  }
  throw usage(`--allow ${name}: it is no folder`);
}

const within = (folders: readonly string[], path: string): boolean =>
  folders.some((folder) => folder === path || isInside(folder, path));

/** @throws USAGE, FILE_NOT_FOUND, FILE_UNREADABLE */
export function allowedFolders(names: readonly string[]): Folders {
  const roots = [...new Set(names.map(rootOf))];
  const spellings = [...roots, ...names.map((name) => resolve(name))];
  const hold = (real: string): boolean => within(roots, real);
  const place = async (name: string): Promise<string> => {
    const path = resolve(roots[0]!, name);
    // As text first: whoever may not look there shall not learn what is there, not even by a wait.
    const real = name.includes('\0') || !within(spellings, path) ? null : await nearestReal(path);
    if (real === null || !hold(real)) throw fail('PATH_NOT_ALLOWED', { path: name });
    return real;
  };
  return {
    roots,
    place,
    hold,
    async existing(name) {
      const path = await place(name);
      try {
        return await realpath(path);
      } catch (cause) {
        throw cannotRead(name, cause);
      }
    },
    shown: (real) => (isInside(roots[0]!, real) ? relative(roots[0]!, real) : real),
  };
}
