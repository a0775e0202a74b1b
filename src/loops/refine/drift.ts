/**
 * The guard against drift: a version must have the words that the original is about. Words are those of any language, as
 * Unicode tells them apart. What counts are all but articles, prepositions, pronouns and the like (of English); numbers
 * count where they stand alone. A word is there if it is there in any of its plain forms (fox, foxes, fox's); after `no`,
 * `not` or `without` it is not. Pure.
 */

const LITTLE = new Set(
  `a an the this that these those some any each every all both and or nor but so yet if then than as at by for from in
  into of off on onto out over to up upon with within is are was were be been being am do does did has have had having
  it its he she they them his her hers their theirs him we us our you your i me my who whom whose which what where when
  while there here very really just also too only such other another about around near next`.split(/\s+/),
);
const DENIES = new Set(['no', 'not', 'without', 'never', 'non']);
const SEGMENTS = new Intl.Segmenter(undefined, { granularity: 'word' });
/** Weights, as in `(fox:1.2)`. */
const WEIGHT = /:\s*\d*\.?\d+/g;
/** `<lora:name:0.8>` */
const TAG = /<[^<>]*>/g;

/** Words in order, in lower case. */
function wordsOf(text: string): string[] {
  const plain = text
    .normalize('NFKC')
    .replace(TAG, ' ')
    .replace(WEIGHT, ' ')
    .replaceAll('_', ' ')
    .toLowerCase();
  return [...SEGMENTS.segment(plain)].filter(({ isWordLike }) => isWordLike).map(({ segment }) => segment);
}

/** One form for fox, foxes, fox's; walk, walks, walking, walked; city, cities. */
export function stem(word: string): string {
  const bare = word.replace(/['’]s?$/, '');
  if (!/^[a-z-]{4,}$/.test(bare)) return bare;
  return bare
    .replace(/ies$/, 'y')
    .replace(/(ss|sh|ch|x|z)es$/, '$1')
    .replace(/(?<![su])s$/, '')
    .replace(/(?<=[aeiouy].*[a-z])(?:ing|ed)$/, '')
    .replace(/([bdgklmnprt])\1$/, '$1')
    .replace(/(?<=..)e$/, '');
}

/** Words of a prompt that versions of it must have, each once, as they stand there. */
export function contentWords(prompt: string): string[] {
  const words = wordsOf(prompt).filter((word) => !LITTLE.has(word) && !DENIES.has(word));
  return [...new Map(words.map((word) => [stem(word), word])).values()];
}

/** Forms of the words that a text has; those that it denies are left out. */
function formsIn(text: string): Set<string> {
  const words = wordsOf(text);
  return new Set(words.filter((_, i) => !DENIES.has(words[i - 1] ?? '')).map(stem));
}

/** The words that a version has lost; a word that the original denies may be denied. */
export function lostWords(original: string, version: string): string[] {
  const forms = formsIn(version);
  const denied = new Set(wordsOf(original).filter((_, i, all) => DENIES.has(all[i - 1] ?? '')));
  return contentWords(original).filter((word) => !denied.has(word) && !forms.has(stem(word)));
}

/** Whether so many words are left. @param keep least share of them, 0..1 */
export function hasDrifted(original: string, version: string, keep: number): boolean {
  const words = contentWords(original).length;
  return words - lostWords(original, version).length < Math.ceil(keep * words - 1e-9);
}
