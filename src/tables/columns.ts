/** Columns by the words that people head them with, whatever their case, blanks and dashes. */
import type { Table } from './table.ts';

/** Best word first: a table with `name` and `path` is looked up by `name`. */
export const NAME_WORDS = [
  /^name$/,
  /^(image|img|file|picture|photo)s?_?name$/,
  /^(image|img|file|picture|photo)s?$/,
  /^((image|img|file)_?)?path$/,
  /^(image|img)_?(id|file|url)$/,
  /^(key|id|url|source)$/,
];

export const PROMPT_WORDS = [
  /^prompt$/,
  /^(text_?prompt|prompt_?text|positive_?prompt|full_?prompt)$/,
  /^(caption|captions|text|positive|description)$/,
];

export const normalHeader = (header: string): string =>
  header
    .trim()
    .toLowerCase()
    .replace(/[\s.-]+/g, '_');

/** Position of the first column that the best word fits; null when none does. */
export function findColumn(headers: readonly string[], words: readonly RegExp[]): number | null {
  for (const word of words) {
    const at = headers.findIndex((header) => word.test(header));
    if (at >= 0) return at;
  }
  return null;
}

/** All columns that some word fits: more than one means that a choice was made. */
const candidates = (headers: readonly string[], words: readonly RegExp[]): number[] =>
  headers.flatMap((header, at) => (words.some((word) => word.test(header)) ? [at] : []));

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');

/** The header in words, for messages. */
export const foundHeader = ({ header }: Pick<Table, 'header'>): string => `found ${quoted(header)}`;

/** What was chosen where several columns fit; empty when nothing had to be. */
export function choiceNote(
  { header }: Table,
  what: string,
  chosen: number | null,
  words: readonly RegExp[],
): string[] {
  const others = candidates(header.map(normalHeader), words).filter((at) => at !== chosen);
  if (chosen === null || others.length === 0) return [];
  return [
    `${what} is read from column ${quoted([header[chosen]!])}, not ${quoted(others.map((at) => header[at]!))}`,
  ];
}
