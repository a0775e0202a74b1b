/** Tables as people have them: CSV of any delimiter, JSON, JSON Lines. Rows keep their place for messages. */
import { basename } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { reasonOf } from '../errors/error.ts';
import { readNamedFile } from '../lib/plain-file.ts';
import { jsonRows, looksLikeJson } from './json.ts';
import { decodeText } from './text.ts';

export interface Row {
  /** Line of the file, or entry of a JSON list, counted from 1. */
  line: number;
  /** As many as there are columns; text without blanks around it. */
  cells: string[];
  /** Columns where an object or a list of JSON stands. */
  nested?: ReadonlySet<number>;
}

export interface Table {
  path: string;
  /** What `line` counts. */
  unit: 'line' | 'entry';
  /** As the file says. */
  header: string[];
  /** Line of the header. */
  headerLine: number;
  rows: Row[];
  /** What separates the cells; null in JSON. */
  delimiter: string | null;
  /** What was guessed or left out, for people; without the name of the file. */
  notes: string[];
}

/** Makes the error for a table that cannot be used. */
export type Invalid = (reason: string, cause?: unknown) => Error;

/** Of those that a header has equally many of the first counts: a comma may stand in a name, the others hardly do. */
const DELIMITERS = ['\t', ';', '|', ','];

/**
 * Reads a table with a header.
 *
 * @param invalid makes the error of a file that is no table
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, and what `invalid` makes
 */
export function readTable(path: string, invalid: Invalid): Table {
  const bytes = readNamedFile(path);
  try {
    const { text, notes } = decodeText(bytes);
    const table = looksLikeJson(text) ? fromJson(text) : fromCsv(text);
    return { path, ...table, notes: [...notes, ...table.notes] };
  } catch (cause) {
    throw invalid(reasonOf(cause), cause);
  }
}

/** `line 4` or `entry 4`. */
export const placeOf = ({ unit }: Table, { line }: Pick<Row, 'line'>): string => `${unit} ${line}`;

/** Most that is repeated of a cell. */
const SHOWN = 60;

/** What is wrong with a cell that should hold text; null: nothing. */
export function faultOfText({ header }: Table, { cells, nested }: Row, at: number): string | null {
  if (!nested?.has(at)) return null;
  const cell = cells[at]!;
  const shown = cell.length > SHOWN ? `${cell.slice(0, SHOWN)}…` : cell;
  return `column ${JSON.stringify(header[at])}: expected text, found ${shown}`;
}

/** The file's name for messages. */
export const tableName = ({ path }: Pick<Table, 'path'>): string => basename(path);

type Content = Omit<Table, 'path'>;

function fromJson(text: string): Content {
  const rows = jsonRows(text);
  const header = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  if (header.length === 0) throw new Error('it holds no entries');
  return {
    unit: rows.some((row) => row.isLine) ? 'line' : 'entry',
    header,
    headerLine: 1,
    rows: rows.map(({ line, values, nested }) => ({
      line,
      cells: header.map((key) => values[key] ?? ''),
      nested: new Set(header.flatMap((key, at) => (nested.has(key) ? [at] : []))),
    })),
    delimiter: null,
    notes: [],
  };
}

/** Spreadsheets may say in a first line what separates the cells. */
const SEPARATOR_LINE = /^\ufeff?"?sep=(.)"?[ \t]*\r?\n/i;

/** The delimiter that the header has most of, outside of quotes. */
function delimiterOf(text: string): string {
  const line = /^\s*([^\r\n]*)/.exec(text)![1]!.replace(/"[^"]*"/g, '');
  const count = (c: string) => line.split(c).length;
  const most = DELIMITERS.reduce((best, c) => (count(c) > count(best) ? c : best));
  return count(most) > 1 ? most : ',';
}

interface CsvRow {
  record: string[];
  info: { lines: number };
}

function parseCsv(text: string, delimiter: string): CsvRow[] {
  try {
    const options = { delimiter, info: true, skip_empty_lines: true, bom: true, relax_column_count: true };
    // A tab is a blank, too: it would be trimmed away where it ends a cell.
    return parse(text, { ...options, trim: delimiter !== '\t' }) as unknown as CsvRow[];
  } catch (cause) {
    const line = cause instanceof CsvError && typeof cause.lines === 'number' ? `line ${cause.lines}: ` : '';
    throw new Error(`${line}${reasonOf(cause)}`, { cause });
  }
}

function fromCsv(text: string): Content {
  const said = SEPARATOR_LINE.exec(text);
  const delimiter = said ? said[1]! : delimiterOf(text);
  const records = parseCsv(said ? text.slice(said[0].length) : text, delimiter);
  const lines = records.map(({ record, info }) => ({
    line: info.lines + (said ? 1 : 0),
    cells: record.map((cell) => cell.trim()),
  }));
  const filled = lines.filter(({ cells }) => cells.some((cell) => cell !== ''));
  const [head, ...body] = filled;
  if (!head) throw new Error('the file is empty; expected a header row');
  const again = (row: Row) => row.cells.join('\0') === head.cells.join('\0');
  const rows = body.filter((row) => !again(row)).map((row) => fitted(row, head.cells, delimiter));
  const repeats = body.length - rows.length;
  const notes = repeats > 0 ? [`the header stands there ${repeats + 1} times; the repeats were skipped`] : [];
  return { unit: 'line', header: head.cells, headerLine: head.line, rows, delimiter, notes };
}

/** Missing cells at the end are empty; cells too many, but for empty ones, mean that the row was cut up wrongly. */
function fitted({ line, cells }: Row, header: string[], delimiter: string): Row {
  const extra = cells.slice(header.length).filter((cell) => cell !== '');
  if (extra.length > 0) {
    const shown = delimiter === '\t' ? 'tab' : delimiter;
    throw new Error(
      `line ${line}: ${cells.length} cells, but the header has ${header.length}; put text that contains "${shown}" in quotes`,
    );
  }
  return { line, cells: header.map((_, at) => cells[at] ?? '') };
}
