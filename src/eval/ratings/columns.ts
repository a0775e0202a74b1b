/** Which column of a ratings file holds what. Headers differ between data sets, so several words are known for each. */
import { nearest } from '../../errors/nearest.ts';
import {
  choiceNote,
  findColumn,
  foundHeader,
  NAME_WORDS,
  normalHeader,
  PROMPT_WORDS,
} from '../../tables/columns.ts';
import type { Table } from '../../tables/table.ts';
import { ASPECTS, type Aspect } from '../../types/aspect.ts';

/** Column positions, counted from 0. */
export interface Columns {
  name: number;
  prompt: number | null;
  generator: number | null;
  mos: Partial<Record<Aspect, number>>;
  std: Partial<Record<Aspect, number>>;
  /** What was chosen or guessed, for people. */
  notes: string[];
}

/** Words of each aspect; a column may also carry them with `mos_` or `std_` before or `_mos` or `_std` after. */
const ASPECT_WORDS: Record<Aspect, string> = {
  quality: 'quality|q|qual|perception|perceptual',
  alignment: 'alignment|align|a|correspondence|consistency',
  authenticity: 'authenticity|auth|authentic',
};

const GENERATOR = [/^generator$/, /^model$/, /^(generator|model)_?name$/];

/** Words for a rating that do not say of what: taken for quality where no column is named for an aspect. */
const PLAIN_RATINGS = [
  /^(mean_?|average_?|avg_?|human_?)?(score|rating|opinion)s?$/,
  /^(rating|score)_?(mean|avg|average)$/,
];

/** One-letter words mean something only beside `mos` or `std`. */
const long = (words: string): string => words.replace(/\|\w(?=\||$)/g, '');

const mosPatterns = (aspect: Aspect): RegExp[] => [
  new RegExp(`^mos_?(${ASPECT_WORDS[aspect]})$`),
  new RegExp(`^(${long(ASPECT_WORDS[aspect])})_?(mos|score|rating)$`),
  new RegExp(`^(${long(ASPECT_WORDS[aspect])})$`),
  ...(aspect === 'quality' ? [/^mos$/, /^mos_?q\w*$/] : []),
];

const stdPatterns = (aspect: Aspect): RegExp[] => [
  new RegExp(`^(mos_)?(std|sd)_?(${ASPECT_WORDS[aspect]})$`),
  new RegExp(`^(mos_)?(${long(ASPECT_WORDS[aspect])})_?(std|sd)$`),
  ...(aspect === 'quality' ? [/^(mos_?)?(std|sd)$/] : []),
];

const perAspect = (headers: string[], patternsOf: (a: Aspect) => RegExp[]): Partial<Record<Aspect, number>> =>
  Object.fromEntries(
    ASPECTS.map((a) => [a, findColumn(headers, patternsOf(a))] as const).filter(([, at]) => at !== null),
  );

/** The ratings, and what had to be guessed of them. */
function mosOf(table: Table, headers: string[]): Pick<Columns, 'mos' | 'notes'> {
  const mos = perAspect(headers, mosPatterns);
  if (Object.keys(mos).length > 0) return { mos, notes: [] };
  const plain = findColumn(headers, PLAIN_RATINGS);
  if (plain === null) return { mos, notes: [] };
  const guess = `column ${JSON.stringify(table.header[plain])} does not say what is rated, and was taken for quality`;
  return { mos: { quality: plain }, notes: [guess, ...choiceNote(table, 'quality', plain, PLAIN_RATINGS)] };
}

/**
 * Finds the columns of a table, whatever their case.
 *
 * @returns the columns, or in words what is wrong with the header: what was found and what was expected
 */
export function findColumns(table: Table): Columns | string {
  const headers = table.header.map(normalHeader);
  const line = `line ${table.headerLine}`;
  const found = foundHeader(table);
  const name = findColumn(headers, NAME_WORDS);
  if (name === null) return `${line}: no column of image names; expected name, image or file; ${found}`;
  const { mos, notes } = mosOf(table, headers);
  if (Object.keys(mos).length === 0)
    return `${line}: no column of ratings; ${expectedRatings(headers)}; ${found}`;
  const prompt = findColumn(headers, PROMPT_WORDS);
  const generator = findColumn(headers, GENERATOR);
  const used = [name, prompt, generator, ...Object.values(mos)].filter((at) => at !== null);
  const twice = used.find((at) => headers.lastIndexOf(headers[at]!) !== at);
  if (twice !== undefined) return `${line}: column "${headers[twice]}" appears twice; ${found}`;
  return {
    name,
    prompt,
    generator,
    mos,
    std: perAspect(headers, stdPatterns),
    notes: [...notes, ...choiceNote(table, 'the prompt', prompt, PROMPT_WORDS)],
  };
}

function expectedRatings(headers: string[]): string {
  const known = ASPECTS.map((a) => `mos_${a}`);
  const slips = headers.map((h) => [h, nearest(h, known)] as const).find(([, k]) => k);
  const hint = slips ? ` (did you mean ${slips[1]} by "${slips[0]}"?)` : '';
  return `expected at least one of ${known.join(', ')}${hint}`;
}
