/** Human ratings of images, read from a table: liberal about headers, strict about values. */
import { fail } from '../../errors/error.ts';
import { counted } from '../../lib/words.ts';
import { readNumber } from '../../tables/numbers.ts';
import { faultOfText, type Invalid, placeOf, type Row, readTable, type Table } from '../../tables/table.ts';
import type { Aspect } from '../../types/aspect.ts';
import { type Columns, findColumns } from './columns.ts';

/** What people said about one image. */
export interface Rating {
  /** Line of the file, counted from 1; for messages. */
  line: number;
  /** As the file says: a file name or path, with or without extension. */
  name: string;
  prompt: string | null;
  generator: string | null;
  /** Mean opinion scores in the file's scale; an aspect that was not rated is absent. */
  mos: Partial<Record<Aspect, number>>;
  /** Standard deviations of the opinions, in the same scale. */
  std: Partial<Record<Aspect, number>>;
}

export interface Ratings {
  path: string;
  rows: Rating[];
  /** Header of the column that rates each aspect. */
  columns: Partial<Record<Aspect, string>>;
  /** Whether there is a column of prompts: an empty cell then says that an image has none. */
  tellsPrompts: boolean;
  hasPrompts: boolean;
  hasGenerators: boolean;
  /** What was guessed or left out, for people. */
  notes: string[];
}

/**
 * Reads a ratings file: CSV, TSV or JSON. A MOS cell may be empty where another aspect of the same row is rated; a row
 * without any rating is left out and counted.
 *
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, RATINGS_INVALID naming line, column, what was found and expected
 */
export function readRatings(path: string): Ratings {
  const invalid: Invalid = (reason, cause) => fail('RATINGS_INVALID', { path, reason }, { cause });
  const table = readTable(path, invalid);
  const columns = findColumns(table);
  if (typeof columns === 'string') throw invalid(columns);
  if (table.rows.length === 0) throw invalid('no rows after the header; expected one row per image');
  const read = table.rows.map((row) => {
    const rating = readRow(table, row, columns);
    if (typeof rating === 'string') throw invalid(`${placeOf(table, row)}, ${rating}`);
    return rating;
  });
  const rated = read.filter((r) => Object.keys(r.mos).length > 0);
  if (rated.length === 0) throw invalid(`${placeOf(table, read[0]!)}, ${nothingRated(table, columns)}`);
  const { rows, notes, clash } = onePerImage(table, rated);
  if (clash) throw invalid(clash);
  return {
    path,
    rows,
    columns: Object.fromEntries(Object.entries(columns.mos).map(([a, at]) => [a, table.header[at]!])),
    tellsPrompts: columns.prompt !== null,
    hasPrompts: rows.some((r) => r.prompt !== null),
    hasGenerators: rows.some((r) => r.generator !== null),
    notes: [...table.notes, ...columns.notes, ...unratedNote(table, read), ...notes],
  };
}

function nothingRated({ header, rows }: Table, { mos }: Columns): string {
  const positions = Object.values(mos);
  const names = positions.map((at) => `"${header[at]}"`).join(', ');
  const found = positions.map((at) => rows[0]!.cells[at]!).find((cell) => cell !== '');
  return `column ${names}: expected a number, found ${found === undefined ? 'nothing' : JSON.stringify(found)}`;
}

function unratedNote(table: Table, read: Rating[]): string[] {
  const unrated = read.filter((r) => Object.keys(r.mos).length === 0);
  if (unrated.length === 0) return [];
  const first = unrated.slice(0, 3).map((r) => r.line);
  return [
    `${counted(unrated.length, 'row')} without a rating left out, the first on ${table.unit} ${first.join(', ')}`,
  ];
}

function readRow(table: Table, row: Row, columns: Columns): Rating | string {
  const { header } = table;
  const { line, cells } = row;
  const texts = [columns.name, columns.prompt, columns.generator].filter((at) => at !== null);
  const fault = texts.map((at) => faultOfText(table, row, at)).find((words) => words !== null);
  if (fault) return fault;
  const name = cells[columns.name]!;
  if (name === '') return `column "${header[columns.name]}": expected the name of an image, found nothing`;
  const mos = readNumbers(table, cells, columns.mos);
  if (typeof mos === 'string') return mos;
  const std = readNumbers(table, cells, columns.std);
  if (typeof std === 'string') return std;
  const text = (at: number | null) => (at === null ? null : cells[at]! || null);
  return { line, name, prompt: text(columns.prompt), generator: text(columns.generator), mos, std };
}

/** The numbers of a row by aspect, missing ones left out; or what is wrong with one. */
function readNumbers(table: Table, cells: string[], columns: Columns['mos']): Rating['mos'] | string {
  const numbers: Rating['mos'] = {};
  for (const [aspect, at] of Object.entries(columns)) {
    const number = readNumber(cells[at]!, table.delimiter);
    if (number === undefined)
      return `column "${table.header[at]}": expected a number, found ${JSON.stringify(cells[at])}`;
    if (number !== null) numbers[aspect as Aspect] = number;
  }
  return numbers;
}

const sameRatings = (a: Rating, b: Rating): boolean =>
  JSON.stringify([a.mos, a.generator]) === JSON.stringify([b.mos, b.generator]);

/** Whether two rows may be about one image: under several prompts, or saying the same twice. */
export const ratingsAgree = (a: Rating, b: Rating): boolean => a.prompt !== b.prompt || sameRatings(a, b);

/** Rows that say the same twice count once. Ratings must be means, so they may not differ. */
function onePerImage(table: Table, rows: Rating[]): { rows: Rating[]; notes: string[]; clash?: string } {
  const first = new Map<string, Rating>();
  for (const row of rows) {
    const key = JSON.stringify([row.name, row.prompt]);
    const before = first.get(key);
    if (before && !sameRatings(before, row)) {
      const clash = `${placeOf(table, row)}: ${row.name} is on ${placeOf(table, before)} already; expected one row of means per image`;
      return { rows, notes: [], clash };
    }
    if (!before) first.set(key, row);
  }
  const repeats = rows.length - first.size;
  const notes =
    repeats > 0 ? [`${counted(repeats, 'row')} said the same of an image twice and left out`] : [];
  return { rows: [...first.values()], notes };
}
