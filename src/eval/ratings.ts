/** Human ratings of images, read from a CSV file: liberal about headers, strict about values. */
import { readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { fail, reasonOf } from '../errors.ts';
import type { Aspect } from '../types.ts';
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
  hasPrompts: boolean;
  hasGenerators: boolean;
}

/** Plain decimal notation; `Number` alone would take '' for 0 and also hexadecimal. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Reads a ratings file: CSV with a header, separated by commas, semicolons or tabs, UTF-8 or UTF-16.
 * A MOS cell may be empty where another aspect of the same row is rated.
 *
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, RATINGS_INVALID naming line, column, what was found and expected
 */
export function readRatings(path: string): Ratings {
  const invalid = (reason: string, cause?: unknown) => fail('RATINGS_INVALID', { path, reason }, { cause });
  const records = parseCsv(decodeText(readBytes(path), invalid), invalid);
  const head = records.shift();
  if (!head) throw invalid('the file is empty; expected a header row');
  const columns = findColumns(head.record);
  if (typeof columns === 'string') throw invalid(columns);
  if (records.length === 0) throw invalid('no rows after the header; expected one row per image');
  const rows = records.map((r) => {
    const rating = readRow(r, columns, head.record);
    if (typeof rating === 'string') throw invalid(`line ${r.line}, ${rating}`);
    return rating;
  });
  const twice = findTwice(rows);
  if (twice) throw invalid(twice);
  return {
    path,
    rows,
    columns: Object.fromEntries(Object.entries(columns.mos).map(([a, at]) => [a, head.record[at]!.trim()])),
    hasPrompts: rows.some((r) => r.prompt !== null),
    hasGenerators: rows.some((r) => r.generator !== null),
  };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw fail('FILE_NOT_FOUND', { path }, { cause });
    throw fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

type Invalid = (reason: string, cause?: unknown) => Error;

/** Spreadsheets save "Unicode text" as UTF-16 with a byte order mark. */
function decodeText(bytes: Buffer, invalid: Invalid): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid('the text is not UTF-8; save it as UTF-8', cause);
  }
}

interface CsvRecord {
  record: string[];
  line: number;
}

function parseCsv(text: string, invalid: Invalid): CsvRecord[] {
  const firstLine = text.slice(0, text.search(/[\r\n]|$/));
  const count = (c: string) => firstLine.split(c).length;
  const delimiter = [',', ';', '\t'].reduce((best, c) => (count(c) > count(best) ? c : best));
  try {
    const rows = parse(text, { delimiter, info: true, skip_empty_lines: true }) as unknown as {
      record: string[];
      info: { lines: number };
    }[];
    return rows.map(({ record, info }) => ({ record, line: info.lines }));
  } catch (cause) {
    const line = cause instanceof CsvError && typeof cause.lines === 'number' ? `line ${cause.lines}: ` : '';
    throw invalid(`${line}${reasonOf(cause)}`, cause);
  }
}

function readRow({ record, line }: CsvRecord, columns: Columns, header: string[]): Rating | string {
  const text = (at: number | null) => (at === null ? null : record[at]!.trim() || null);
  const name = text(columns.name);
  if (name === null) return `column "${header[columns.name]}": expected the name of an image, found nothing`;
  const mos = readNumbers(record, columns.mos, header);
  if (typeof mos === 'string') return mos;
  if (Object.keys(mos).length === 0) {
    const names = Object.values(columns.mos).map((at) => `"${header[at]}"`);
    return `column ${names.join(', ')}: expected a number, found nothing`;
  }
  const std = readNumbers(record, columns.std, header);
  if (typeof std === 'string') return std;
  return { line, name, prompt: text(columns.prompt), generator: text(columns.generator), mos, std };
}

/** The numbers of a row by aspect, empty cells left out; or what is wrong with one. */
function readNumbers(record: string[], columns: Columns['mos'], header: string[]): Rating['mos'] | string {
  const numbers: Rating['mos'] = {};
  for (const [aspect, at] of Object.entries(columns)) {
    const cell = record[at]!.trim();
    if (cell === '') continue;
    if (!DECIMAL.test(cell) || !Number.isFinite(Number(cell)))
      return `column "${header[at]!.trim()}": expected a number, found ${JSON.stringify(cell)}`;
    numbers[aspect as Aspect] = Number(cell);
  }
  return numbers;
}

/** One image may be rated under several prompts, but not twice under the same: ratings must be means. */
function findTwice(rows: Rating[]): string | undefined {
  const lines = new Map<string, number>();
  for (const { name, prompt, line } of rows) {
    const key = JSON.stringify([name, prompt]);
    const first = lines.get(key);
    if (first)
      return `line ${line}: ${name} is on line ${first} already; expected one row of means per image`;
    lines.set(key, line);
  }
  return undefined;
}
