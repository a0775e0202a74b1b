/** `--prompts`: which prompt of a table belongs to which image. */
import { dirname, resolve } from 'node:path';
import { fail } from '../../errors/error.ts';
import { counted, fewOf } from '../../lib/words.ts';
import {
  choiceNote,
  findColumn,
  foundHeader,
  NAME_WORDS,
  normalHeader,
  PROMPT_WORDS,
} from '../../tables/columns.ts';
import { findPartners } from '../../tables/partners.ts';
import { faultOfText, placeOf, readTable, type Table, tableName } from '../../tables/table.ts';

/** Who has no partner: how many, and the first of them. */
interface Lonely {
  count: number;
  first: string[];
}

export interface Tally {
  table: string;
  images: number;
  rowsWithoutImage: Lonely;
  imagesWithoutRow: Lonely;
}

/** Where each image gets its prompt from. */
export interface PromptSource {
  /** Null: it has none. Undefined: the file is looked into. */
  of(path: string): string | null | undefined;
  /** What is to be said of one image. */
  notesOn(path: string): string[];
  /** What is to be said of all, for people. */
  notes: string[];
  /** The same for machines; null where there is no table. */
  tally: Tally | null;
}

/** One for all images. */
export const onePrompt = (prompt: string | null | undefined): PromptSource => ({
  of: () => prompt,
  notesOn: () => [],
  notes: [],
  tally: null,
});

interface PromptRow {
  name: string;
  prompt: string | null;
  place: string;
}

const SHOWN = 3;
const lonely = (names: string[]): Lonely => ({ count: names.length, first: names.slice(0, SHOWN) });
const invalidIn = (path: string) => (reason: string, cause?: unknown) =>
  fail('PROMPTS_INVALID', { path, reason }, { cause });

function rowsOf(table: Table): { rows: PromptRow[]; notes: string[] } {
  const headers = table.header.map(normalHeader);
  const [name, prompt] = [findColumn(headers, NAME_WORDS), findColumn(headers, PROMPT_WORDS)];
  const missing = [name === null && 'image names', prompt === null && 'prompts'].filter(Boolean);
  if (name === null || prompt === null)
    throw new Error(
      `line ${table.headerLine}: no column of ${missing.join(' and of ')}; ${foundHeader(table)}; needed are one of image names (name, file, path …) and one of prompts (prompt, caption, text …)`,
    );
  const rows = table.rows.map((row) => {
    const place = placeOf(table, row);
    const fault = faultOfText(table, row, name) ?? faultOfText(table, row, prompt);
    if (fault) throw new Error(`${place}, ${fault}`);
    if (row.cells[name] === '') throw new Error(`${place}: a prompt without the name of an image`);
    return { name: row.cells[name]!, prompt: row.cells[prompt] || null, place };
  });
  return { rows, notes: choiceNote(table, 'the prompt', prompt, PROMPT_WORDS) };
}

/**
 * Reads the table and finds its rows' images among `paths`.
 *
 * @param roots folders that names may be relative to
 * @param otherwise the prompt of an image that the table does not name
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, PROMPTS_INVALID, also when it is not clear which row is meant for an image
 */
export function readPrompts(
  path: string,
  paths: readonly string[],
  roots: readonly string[],
  otherwise: null | undefined,
): PromptSource {
  const invalid = invalidIn(path);
  const table = readTable(path, invalid);
  try {
    const { rows, notes } = rowsOf(table);
    const places = [...roots, dirname(path), '.'].map((root) => resolve(root));
    const found = findPartners(rows, paths, { roots: places, agree: (a, b) => a.prompt === b.prompt });
    return sourceOf(table, [...table.notes, ...notes], found, otherwise);
  } catch (cause) {
    throw invalid((cause as Error).message, cause);
  }
}

type Found = ReturnType<typeof findPartners<PromptRow>>;

function sourceOf(table: Table, notes: string[], found: Found, otherwise: null | undefined): PromptSource {
  const { rowsOf, rowsWithoutFile, filesWithoutRow } = found;
  const name = tableName(table);
  const rows = rowsWithoutFile.map((row) => `${row.name} (${row.place})`);
  const empty = [...rowsOf.values()].filter(([row]) => row!.prompt === null).length;
  const said = [...notes, ...found.notes];
  if (rows.length > 0) said.push(`no image here for ${counted(rows.length, 'row')}: ${fewOf(rows)}`);
  if (filesWithoutRow.length > 0)
    said.push(`no row for ${counted(filesWithoutRow.length, 'image')}: ${fewOf(filesWithoutRow)}`);
  if (empty > 0) said.push(`an empty prompt, which is none, for ${counted(empty, 'image')}`);
  return {
    of: (file) => {
      const rows = rowsOf.get(file);
      return rows ? rows[0]!.prompt : otherwise;
    },
    notesOn: (file) => {
      const row = rowsOf.get(file)?.[0];
      if (!row) return [`${name} has no row for it`];
      return row.prompt === null ? [`${name} has an empty prompt for it (${row.place}), which is none`] : [];
    },
    notes: said.map((note) => `${name}: ${note}`),
    tally: {
      table: name,
      images: rowsOf.size,
      rowsWithoutImage: lonely(rows),
      imagesWithoutRow: lonely(filesWithoutRow),
    },
  };
}
