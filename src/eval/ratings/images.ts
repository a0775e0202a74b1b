/** Where the rated images are: ratings files name them with or without folder and extension. */
import { statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fail } from '../../errors/error.ts';
import { walk } from '../../lib/walk.ts';
import { fewOf } from '../../lib/words.ts';
import { extensionOf } from '../../tables/names.ts';
import { findPartners, type Partners } from '../../tables/partners.ts';
import { IMAGE_EXTENSIONS } from '../../types/image.ts';
import { type Rating, type Ratings, ratingsAgree } from './ratings.ts';

/** The rows whose images are here; a table may be larger than a folder. */
export interface RatedImages {
  rows: Rating[];
  /** One per row. */
  paths: string[];
  /** What was guessed or left out, for people. */
  notes: string[];
}

/** Everything in the folder: whether it is an image shows when it is read. */
function filesIn(folder: string): { files: string[]; notes: string[] } {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw fail('FILE_NOT_FOUND', { path: folder });
  const notes: string[] = [];
  const onUnreadable = ({ path, reason }: { path: string; reason: string }) =>
    notes.push(`cannot read ${path}: ${reason}`);
  return { files: Array.from(walk([folder], { onUnreadable }), ({ path }) => path), notes };
}

type RatedRow = Rating & { place: string };

function partnersOf(ratings: Ratings, files: string[], folder: string): Partners<RatedRow> {
  const rows = ratings.rows.map((row) => ({ ...row, place: `line ${row.line}` }));
  const roots = [folder, join(folder, 'images')].map((root) => resolve(root));
  try {
    return findPartners(rows, files, { roots, agree: ratingsAgree });
  } catch (cause) {
    throw fail('RATINGS_INVALID', { path: ratings.path, reason: (cause as Error).message }, { cause });
  }
}

function unratedNote(files: readonly string[], folder: string): string[] {
  const images = files.filter((file) => IMAGE_EXTENSIONS.includes(extensionOf(file)));
  if (images.length === 0) return [];
  return [
    `images without a rating: ${images.length} (${fewOf(images.map((file) => relative(folder, file)))})`,
  ];
}

function absentNote(rows: readonly RatedRow[]): string[] {
  if (rows.length === 0) return [];
  const names = fewOf(rows.map(({ name, place }) => `${name} (${place})`));
  return [`rows without an image here: ${rows.length} (${names}); the figures leave them out`];
}

/**
 * Finds the images of the ratings in a folder and below it.
 *
 * @throws FILE_NOT_FOUND when the folder does not exist, RATINGS_INVALID when it is not clear which image is meant
 */
export function findRated(ratings: Ratings, folder: string): RatedImages {
  const { files, notes } = filesIn(folder);
  const found = partnersOf(ratings, files, folder);
  const byLine = new Map([...found.filesOf].map(([row, [file]]) => [row.line, file!]));
  const rows = ratings.rows.filter(({ line }) => byLine.has(line));
  const lonely = [...absentNote(found.rowsWithoutFile), ...unratedNote(found.filesWithoutRow, folder)];
  return {
    rows,
    paths: rows.map(({ line }) => byLine.get(line)!),
    notes: [...notes, ...found.notes, ...lonely],
  };
}
