/** Counts and lists in sentences for people. */

const NAMED = 3;

/** The first names, and how many more there are. */
export const fewOf = (names: readonly string[], most = NAMED): string =>
  names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : '');

/** `1 image`, `2 images`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

const MOST_DIGITS = 6;

/** Two different numbers with as many digits as it takes to tell them apart, at least so many. */
export function apart(a: number, b: number, least = 2): [string, string] {
  for (let digits = least; digits < MOST_DIGITS; digits++) {
    const texts = [a.toFixed(digits), b.toFixed(digits)] as [string, string];
    if (texts[0] !== texts[1]) return texts;
  }
  return [String(a), String(b)];
}

/** Longest text of others that a message repeats, in characters. */
const SHOWN = 160;

/** As much of it is looked through: what others send may have any length. */
const READ = 8192;

/** What others say, for people, on one line. */
export const gistOf = (text: string): string => {
  const line = text.slice(0, READ).replace(/\s+/g, ' ').trim();
  return line === '' ? 'nothing' : line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
};

/** The same of what may be a page. A tag ends before the next one begins, so that none is looked for twice. */
export const gistOfPage = (text: string): string => gistOf(text.slice(0, READ).replace(/<[^<>]*>/g, ' '));
