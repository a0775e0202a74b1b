/** Figures as text, for the terminal and the page. An absent figure is a dash, never a zero. */

const ABSENT = '–';

/** @example decimal(0.8654, 3) === '0.865' */
export const decimal = (value: number | null, digits: number): string =>
  value === null ? ABSENT : value.toFixed(digits).replace('-', '−');

/** @param share 0..1 */
export const percent = (share: number | null, digits = 0): string =>
  share === null ? ABSENT : `${decimal(share * 100, digits)} %`;

/** @example span([0.85, 0.88], 2) === '0.85 to 0.88' */
export const span = (interval: readonly number[] | null, digits: number): string =>
  interval === null ? ABSENT : interval.map((v) => decimal(v, digits)).join(' to ');
