/** Figures that differ between generators, one bar each: interval coverage and rank correlation. */

import { decimal, percent, span } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import type { GeneratorRow } from '../figures/aspect.ts';
import { type Bar, bars } from './drawings.ts';
import { type AspectView, figure, largestGenerators } from './view.ts';

/** Two-sided 95 % of the normal distribution. */
const Z = 1.96;

/**
 * 95 % interval of a share that was seen in `n` cases.
 *
 * @see E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927
 */
function shareEnds(share: number, n: number): [number, number] {
  const middle = (share + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const half = (Z / (1 + Z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + (Z / (2 * n)) ** 2);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/**
 * 95 % interval of a rank correlation of `n` pairs, 5 or more.
 *
 * @see E. C. Fieller, H. O. Hartley, E. S. Pearson, "Tests for rank correlation coefficients", Biometrika 44, 1957
 */
function rankEnds(r: number, n: number): [number, number] {
  const half = Z * Math.sqrt(1.06 / (n - 3));
  const z = Math.atanh(Math.max(-0.9999, Math.min(0.9999, r)));
  return [Math.tanh(z - half), Math.tanh(z + half)];
}

const coverageBar = (name: string, n: number, value: number | null): Bar[] =>
  value === null ? [] : [{ name, value, ends: shareEnds(value, n), text: percent(value) }];

const rankBar = ({ generator, n, srcc }: GeneratorRow): Bar[] =>
  srcc === null ? [] : [{ name: generator, value: srcc, ends: rankEnds(srcc, n), text: decimal(srcc, 2) }];

const descending = (rows: Bar[]): Bar[] => rows.sort((a, b) => b.value - a.value);

/** From the given start or the lowest bar, whichever is lower, rounded down to a tenth, to 1. */
const domainOf = (start: number, rows: Bar[]): [number, number] => [
  Math.floor(rows.reduce((low, r) => Math.min(low, r.ends[0]), start) * 10) / 10,
  1,
];

/** Share of ratings inside the intervals by generator, or by score where generators are unknown. */
export function coverageFigure({ aspect, report, draw }: AspectView): Markup {
  const { figures, scale, generators, calibration } = report;
  if (figures.coverage === null) return html``;
  const by = generators.length ? 'generator' : 'score';
  const parts = generators.length
    ? descending(largestGenerators(generators).flatMap((g) => coverageBar(g.generator, g.n, g.coverage)))
    : calibration.flatMap((b) => coverageBar(`score ${span(b.scores, 2)}`, b.n, b.coverage));
  const rows = [...coverageBar('all images', figures.n, figures.coverage), ...parts];
  const mark = { value: scale.statedCoverage, label: `stated ${percent(scale.statedCoverage)}` };
  const drawing = bars(rows, mark, domainOf(mark.value - 0.1, rows), 'share of ratings inside the interval');
  return figure(
    `Interval coverage by ${by}`,
    draw(drawing, `Coverage of ${aspect} intervals by ${by}`),
    'How many ratings fall into the prediction interval; the bars are the 95 % uncertainty of that share. Left of the dashed line the scorer is surer than it should be. ',
    html`<strong>${percent(figures.coverage, 1)} of all ratings, ${percent(scale.statedCoverage)} stated.</strong>`,
  );
}

/** Rank correlation inside each generator; nothing when there are less than two. */
export function orderFigure({ aspect, report, draw }: AspectView): Markup {
  const { figures, generators } = report;
  const rows = descending(largestGenerators(generators).flatMap(rankBar));
  if (rows.length < 2 || figures.srcc === null) return html``;
  const mark = { value: figures.srcc, label: `all images ${decimal(figures.srcc, 2)}` };
  return figure(
    'Order inside generators',
    draw(bars(rows, mark, domainOf(0, rows), 'SRCC'), `Rank correlation of ${aspect} inside generators`),
    'SRCC among the images of one generator; the bars are its 95 % uncertainty. How far they stay left of the dashed line is what telling generators apart adds to the figure of all images. ',
    html`<strong>Mean ${decimal(figures.withinGenerator, 3)}, all images ${decimal(figures.srcc, 3)}.</strong>`,
  );
}
