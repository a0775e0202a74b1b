/**
 * Step 5: mends a text before its tokens are looked up, as the tables of a model folder say. Nets that were trained on
 * mended texts know no others: `&eacute;` and `Ã©` are `é`, quotes are straight, control characters are gone.
 *
 * @see ftfy.readthedocs.io, whose `fix_text` this follows, and Python's `html.unescape`
 */
import { z } from 'zod';
import { readModelJson } from '../model/manifest.ts';
import { isMangled, unmangled } from './unmangle.ts';

/** A regular expression of Unicode letters, or of bytes as the letters of their numbers. */
const pattern = z.string().transform((source, context) => {
  try {
    return new RegExp(source, 'gu');
  } catch (error) {
    context.addIssue({ code: 'custom', message: String(error) });
    return z.NEVER;
  }
});
const table = z.record(z.string(), z.string()).transform((entries) => new Map(Object.entries(entries)));

const mendingSchema = z.strictObject({
  version: z.literal(1),
  /** What the tables were read off. */
  made: z.string(),
  /** Whole entities such as `&eacute;` that are undone line by line. */
  entities: table,
  /** Names of HTML without the `&`, some without a semicolon. */
  references: table,
  /** Code points that a numeric reference does not mean. */
  numbers: table,
  /** Characters and what stands for them, one table after the other; the first is of the C1 controls. */
  letters: z.tuple([table], table),
  removed: z.array(pattern),
  /** Matches what hardly stands in a text that is read in its own encoding. */
  bad: pattern,
  /** Matches UTF-8 that was read in another encoding. */
  mangled: pattern,
  /** Bytes: `à` at the end of a word whose second byte became a space. */
  graves: pattern,
  /** Bytes of UTF-8, one of which became a space. */
  spaced: pattern,
  /** Bytes of UTF-8, some of which were lost. */
  lossy: pattern,
  /** Single-byte encodings in the order in which they are tried. */
  encodings: z.array(
    z.strictObject({
      characters: z.string().length(256).describe('of the bytes 0 to 255'),
      spaced: z.boolean(),
      lossy: z.boolean(),
    }),
  ),
});
export type Mending = z.infer<typeof mendingSchema>;

/** Escapes nested deeper than this stay. */
const ROUNDS = 32;

/** Reads the tables of a model folder. @throws MANIFEST_INVALID, MODEL_FILE_MISSING */
export function openMending(folder: string, file: string): (text: string) => string {
  const tables = readModelJson(folder, file, mendingSchema);
  const swaps = tables.letters.map(swapOf);
  return (text) => {
    const fixed = linesOf(text, (line, entities) => mendLine(line, entities, tables, swaps));
    const plain = unreferenced(unreferenced(fixed, tables), tables);
    return plain
      .replace(/\p{White_Space}+/gu, ' ')
      .replace(/^ | $/g, '')
      .toLowerCase();
  };
}

/** From the first line that has a `<` on, entities may be part of markup, and are left to `unreferenced`. */
function linesOf(text: string, mend: (line: string, entities: boolean) => string): string {
  let entities = true;
  const lines = text.split(/(?<=\n)/).map((line) => {
    entities &&= !line.includes('<');
    return mend(line, entities);
  });
  return lines.join('');
}

type Swap = (text: string) => string;

function mendLine(line: string, entities: boolean, tables: Mending, swaps: Swap[]): string {
  let text = line;
  for (let round = 0; round < ROUNDS; round++) {
    const before = text;
    if (entities) text = text.replace(ENTITY, (found) => entityOf(found, tables));
    if (isMangled(text, tables)) text = unmangled(text, tables, swaps[0]!, ROUNDS);
    for (const swap of swaps) text = swap(text);
    text = text.replace(/\r\n?|[\u2028\u2029\x85]/g, '\n').toWellFormed();
    for (const removed of tables.removed) text = text.replace(removed, '');
    text = text.normalize('NFC');
    if (text === before) break;
  }
  return text;
}

/** Replaces characters by what a table has for them. */
function swapOf(table: ReadonlyMap<string, string>): Swap {
  const codes = [...table.keys()].map((char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
  const any = new RegExp(`[${codes.join('')}]`, 'gu');
  return (text) => text.replace(any, (char) => table.get(char)!);
}

const ENTITY = /&#?[0-9A-Za-z]{1,24};/g;

/** An entity with its semicolon; what is no entity as a whole stays. */
function entityOf(found: string, tables: Mending): string {
  const known = tables.entities.get(found);
  if (known !== undefined || found[1] !== '#') return known ?? found;
  const plain = unreferenced(found, tables);
  return plain.includes(';') ? found : plain;
}

const REFERENCE = /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu;

/** Undoes references as browsers do, those without a semicolon included. */
const unreferenced = (text: string, tables: Mending): string =>
  text.replace(REFERENCE, (whole, name: string) =>
    name[0] === '#' ? numbered(name, tables) : named(name, whole, tables),
  );

function numbered(name: string, { numbers }: Mending): string {
  const code =
    name[1] === 'x' || name[1] === 'X'
      ? Number.parseInt(name.slice(2), 16)
      : Number.parseInt(name.slice(1), 10);
  const known = numbers.get(String(code));
  if (known !== undefined) return known;
  return code > 0x10_ffff || (code >= 0xd800 && code < 0xe000) ? '\ufffd' : String.fromCodePoint(code);
}

/** The longest name that the text begins with, and the rest. */
function named(name: string, whole: string, { references }: Mending): string {
  for (let end = name.length; end > 1; end--) {
    const found = references.get(name.slice(0, end));
    if (found !== undefined) return found + name.slice(end);
  }
  return whole;
}
