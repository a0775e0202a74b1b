/** Whether a scorer is measured on the very images that it was fitted to, as its folder tells. */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { stemOf } from '../../tables/names.ts';
import type { Outcome } from '../figures/pairs.ts';

/** File of a model folder that may say what the scorer was fitted to. */
const FILE = 'fitted.json';
/** Bytes of a hash that are kept: enough that none of a million images is taken for one of these by chance. */
const KEPT = 6;

const schema = z.object({
  version: z.literal(1),
  /** The data set, for people. */
  title: z.string(),
  /** First bytes of the SHA-256 of each file, one after the other, in base64. */
  files: z.base64(),
  /** The same of the names, without folder and extension, in small letters. */
  names: z.base64(),
});

export interface Fitted {
  title: string;
  files: ReadonlySet<string>;
  names: ReadonlySet<string>;
}

const hashesIn = (base64: string): Set<string> => {
  const bytes = Buffer.from(base64, 'base64');
  const count = Math.floor(bytes.length / KEPT);
  return new Set(Array.from({ length: count }, (_, i) => bytes.toString('hex', i * KEPT, (i + 1) * KEPT)));
};

/** Null where the folder does not tell. What cannot be read tells nothing either: it is a note that is missing then. */
export function readFitted(folder: string): Fitted | null {
  const path = join(folder, FILE);
  if (!existsSync(path)) return null;
  try {
    const { title, files, names } = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return { title, files: hashesIn(files), names: hashesIn(names) };
  } catch {
    return null;
  }
}

const nameHash = (name: string): string =>
  hash('sha256', stemOf(name.split(/[\\/]/).at(-1)!).normalize('NFC').toLowerCase()).slice(0, 2 * KEPT);

/** Names alone may be alike by chance; not so nearly all of them. */
const MOST_NAMES = 0.95;

/** What a reader must know before trusting the figures; nothing when the images are new to the scorer. */
export function fittedNote(fitted: Fitted | null, outcomes: readonly Outcome[]): string[] {
  if (!fitted) return [];
  const scored = outcomes.filter((o) => o.error === null);
  const same = scored.filter((o) => fitted.files.has(o.result.sha256?.slice(0, 2 * KEPT) ?? '')).length;
  const named = scored.filter((o) => fitted.names.has(nameHash(o.rating.name))).length;
  if (same === 0 && (named === 0 || named < MOST_NAMES * scored.length)) return [];
  const which =
    same > 0
      ? `${same} of ${scored.length} images are`
      : `by their names, ${named} of ${scored.length} images are`;
  return [
    `${which} among those that the scorer was fitted to (${fitted.title}): the figures say how well it remembers them, and are too good for new images`,
  ];
}
