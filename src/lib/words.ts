/** Counts and lists in sentences for people. */

const NAMED = 3;

/** The first names, and how many more there are. */
export const fewOf = (names: readonly string[], most = NAMED): string =>
  names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : '');

/** `1 image`, `2 images`. */
export const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
