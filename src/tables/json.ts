/** JSON and JSON Lines as rows of text cells. */
import { reasonOf } from '../errors/error.ts';
import { findColumn, NAME_WORDS, normalHeader } from './columns.ts';

export interface JsonRow {
  /** Line or entry, counted from 1. */
  line: number;
  isLine: boolean;
  values: Record<string, string>;
  /** Keys of objects and lists, which are no text: their values are the JSON. */
  nested: ReadonlySet<string>;
}

type Entry = Record<string, unknown>;

/** A CSV header does not begin with a bracket. */
export const looksLikeJson = (text: string): boolean => /^\ufeff?\s*[[{]/.test(text);

const isObject = (value: unknown): value is Entry =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const cellOf = (value: unknown): string => {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value).trim();
};

const cellsOf = (entry: Entry): Pick<JsonRow, 'values' | 'nested'> => ({
  values: Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, cellOf(value)])),
  nested: new Set(Object.keys(entry).filter((key) => typeof entry[key] === 'object' && entry[key] !== null)),
});

/** `{"a.png": "a cat"}` and `{"a.png": {"prompt": "a cat"}}`; also a list under whatever name. */
function entriesOf(top: unknown): Entry[] {
  if (Array.isArray(top)) return top.map(objectOf);
  const values = Object.values(top as Entry);
  const [only] = values;
  if (values.length === 1 && Array.isArray(only)) return only.map(objectOf);
  return Object.entries(top as Entry).map(([name, value]) =>
    isObject(value) ? { name, ...value } : { name, prompt: value },
  );
}

function objectOf(value: unknown, at: number): Entry {
  if (!isObject(value))
    throw new Error(`entry ${at + 1} is no object; expected one with the columns as keys`);
  return value;
}

/** One object a line; undefined when it is not that. */
function fromLines(text: string): JsonRow[] | undefined {
  const lines = text.split('\n').map((line, at) => ({ line: at + 1, text: line.trim() }));
  const filled = lines.filter((line) => line.text !== '');
  if (filled.length < 2 || !filled[0]!.text.endsWith('}')) return undefined;
  return filled.map(({ line, text }) => {
    let entry: unknown;
    try {
      entry = JSON.parse(text);
    } catch (cause) {
      throw new Error(`line ${line}: ${reasonOf(cause)}`, { cause });
    }
    if (!isObject(entry)) throw new Error(`line ${line} is no object`);
    return { line, isLine: true, ...cellsOf(entry) };
  });
}

/** @throws Error in words */
export function jsonRows(given: string): JsonRow[] {
  const text = given.replace(/^\ufeff/, '');
  let top: unknown;
  try {
    top = JSON.parse(text);
  } catch (cause) {
    const lines = fromLines(text);
    if (lines) return lines;
    throw new Error(`it is not JSON: ${reasonOf(cause)}`, { cause });
  }
  const isRow = isObject(top) && findColumn(Object.keys(top).map(normalHeader), NAME_WORDS) !== null;
  const entries = isRow ? [top as Entry] : entriesOf(top);
  return entries.map((entry, at) => ({ line: at + 1, isLine: false, ...cellsOf(entry) }));
}
