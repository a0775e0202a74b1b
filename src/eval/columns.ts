/** Which column of a ratings file holds what. Headers differ between data sets, so several words are known for each. */
import { nearest } from '../errors.ts';
import { ASPECTS, type Aspect } from '../types.ts';

/** Column positions, counted from 0. */
export interface Columns {
  name: number;
  prompt: number | null;
  generator: number | null;
  mos: Partial<Record<Aspect, number>>;
  std: Partial<Record<Aspect, number>>;
}

/** Words of each aspect; a column may also carry them with `mos_` or `std_` before or `_mos` or `_std` after. */
const ASPECT_WORDS: Record<Aspect, string> = {
  quality: 'quality|q|qual|perception|perceptual',
  alignment: 'alignment|align|a|correspondence|consistency',
  authenticity: 'authenticity|auth|authentic',
};

/** Best word first: a file with `name` and `path` is looked up by `name`. */
const NAME = [/^name$/, /^(image|img|file)_?name$/, /^(image|img|file)$/, /^((image|img|file)_?)?path$/];
const PROMPT = [/^prompt$/, /^(text_?prompt|prompt_?text)$/];
const GENERATOR = [/^generator$/, /^model$/, /^(generator|model)_?name$/];

/** One-letter words mean something only beside `mos` or `std`. */
const long = (words: string): string => words.replace(/\|\w(?=\||$)/g, '');

const mosPatterns = (aspect: Aspect): RegExp[] => [
  new RegExp(`^mos_?(${ASPECT_WORDS[aspect]})$`),
  new RegExp(`^(${long(ASPECT_WORDS[aspect])})_?(mos|score)$`),
  new RegExp(`^(${long(ASPECT_WORDS[aspect])})$`),
  ...(aspect === 'quality' ? [/^mos$/, /^mos_?q\w*$/] : []),
];

const stdPatterns = (aspect: Aspect): RegExp[] => [
  new RegExp(`^(mos_)?(std|sd)_?(${ASPECT_WORDS[aspect]})$`),
  new RegExp(`^(mos_)?(${long(ASPECT_WORDS[aspect])})_?(std|sd)$`),
  ...(aspect === 'quality' ? [/^(mos_?)?(std|sd)$/] : []),
];

const normal = (header: string): string =>
  header
    .trim()
    .toLowerCase()
    .replace(/[\s.-]+/g, '_');

function find(headers: string[], patterns: RegExp[]): number | null {
  for (const pattern of patterns) {
    const at = headers.findIndex((h) => pattern.test(h));
    if (at >= 0) return at;
  }
  return null;
}

const perAspect = (headers: string[], patternsOf: (a: Aspect) => RegExp[]): Partial<Record<Aspect, number>> =>
  Object.fromEntries(
    ASPECTS.map((a) => [a, find(headers, patternsOf(a))] as const).filter(([, at]) => at !== null),
  );

/**
 * Finds the columns of a header row, whatever their case.
 *
 * @returns the columns, or in words what is wrong with the header: what was found and what was expected
 */
export function findColumns(header: string[]): Columns | string {
  const headers = header.map(normal);
  const found = `found ${header.map((h) => JSON.stringify(h.trim())).join(', ')}`;
  const name = find(headers, NAME);
  if (name === null) return `line 1: no column of image names; expected name, image or file; ${found}`;
  const mos = perAspect(headers, mosPatterns);
  if (Object.keys(mos).length === 0)
    return `line 1: no column of ratings; ${expectedRatings(headers)}; ${found}`;
  const prompt = find(headers, PROMPT);
  const generator = find(headers, GENERATOR);
  const used = [name, prompt, generator, ...Object.values(mos)].filter((at) => at !== null);
  const twice = used.find((at) => headers.lastIndexOf(headers[at]!) !== at);
  if (twice !== undefined) return `line 1: column "${headers[twice]}" appears twice; ${found}`;
  return { name, prompt, generator, mos, std: perAspect(headers, stdPatterns) };
}

function expectedRatings(headers: string[]): string {
  const known = ASPECTS.map((a) => `mos_${a}`);
  const slips = headers.map((h) => [h, nearest(h, known)] as const).find(([, k]) => k);
  const hint = slips ? ` (did you mean ${slips[1]} by "${slips[0]}"?)` : '';
  return `expected at least one of ${known.join(', ')}${hint}`;
}
