/** Names that an agent gave to image files: folders are looked into, and what a link brings in from elsewhere is left out. */
import { realpathSync, statSync } from 'node:fs';
import { toAssayError } from '../../errors/error.ts';
import { isRejectBin } from '../../files/rejects/recognise.ts';
import { walk } from '../../lib/walk.ts';
import { extensionOf } from '../../tables/names.ts';
import { IMAGE_EXTENSIONS } from '../../types/image.ts';
import { inNaturalOrder } from '../input/images.ts';
import { createSkipped } from '../input/skipped.ts';
import type { Folders } from './folders.ts';

export interface Failure {
  name: string;
  code: string;
  message: string;
}

export interface FoundImages {
  /** Real paths, each once, in natural order. */
  paths: string[];
  /** Names that led to nothing. */
  failures: Failure[];
  /** What was left out, for people. */
  notes: string[];
}

export function failureOf(name: string, thrown: unknown): Failure {
  const { code, message } = toAssayError(thrown);
  return { name, code, message };
}

const isImage = (path: string): boolean => IMAGE_EXTENSIONS.includes(extensionOf(path));

/** Itself for a link that leads nowhere: reading it says so. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What is refused or not there costs the others nothing. */
export async function findImages(names: readonly string[], folders: Folders): Promise<FoundImages> {
  const paths = new Set<string>();
  const failures: Failure[] = [];
  const skipped = createSkipped();
  const entered = new Set<string>();
  let outside = 0;
  const take = (folder: string): void => {
    const files = walk([folder], {
      entered,
      leaves(path) {
        if (isRejectBin(path)) return 'reject bin';
        if (folders.hold(realOf(path))) return undefined;
        outside++;
        return 'elsewhere';
      },
      onLeftOut: skipped.add,
      onUnreadable: ({ path, reason }) =>
        failures.push({ name: folders.shown(path), code: 'FILE_UNREADABLE', message: reason }),
    });
    for (const { path, real } of files)
      if (!isImage(path)) skipped.add(path);
      else if (folders.hold(real)) paths.add(real);
      else outside++;
  };
  for (const name of names)
    try {
      const real = await folders.existing(name);
      if (statSync(real).isDirectory()) take(real);
      else paths.add(real);
    } catch (thrown) {
      failures.push(failureOf(name, thrown));
    }
  const notes = skipped.notes();
  if (outside > 0) notes.push(`${outside} left out: links that lead outside the allowed folders`);
  return { paths: [...paths].toSorted(inNaturalOrder), failures, notes };
}
