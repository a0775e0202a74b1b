/** What the figures of the page have in common. */

import { html, type Markup } from '../../page/html.ts';
import type { Draw } from '../../page/plots.ts';
import type { Aspect } from '../../types/aspect.ts';
import type { AspectReport, GeneratorRow } from '../figures/aspect.ts';
import type { Pair } from '../figures/pairs.ts';
import type { Thumbnails } from './thumbnails.ts';

/** One aspect of a report, and the means to draw it. */
export interface AspectView {
  aspect: Aspect;
  report: AspectReport;
  pairs: readonly Pair[];
  draw: Draw;
  thumbnails: Thumbnails;
}

type Caption = Markup | string | false;

/** A plot under its title, with what it shows in words. */
export const figure = (title: string, plot: Markup, ...caption: Caption[]): Markup =>
  html`<figure><h3>${title}</h3>${plot}<figcaption>${caption}</figcaption></figure>\n`;

/** More than these nobody compares in a plot; the table has all. */
const MOST_GENERATORS = 24;

/** The generators with the most images, in their own order. */
export function largestGenerators(rows: readonly GeneratorRow[]): GeneratorRow[] {
  const sizes = rows.map((r) => r.n).sort((a, b) => b - a);
  const least = sizes[Math.min(MOST_GENERATORS, sizes.length) - 1] ?? 0;
  return rows.filter((r) => r.n >= least).slice(0, MOST_GENERATORS);
}
