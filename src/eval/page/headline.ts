/** The first table of the page: every figure of every aspect, and what it says in plain words. */

import { decimal, percent, span } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import { ASPECTS } from '../../types/aspect.ts';
import type { FigureIntervals, Figures } from '../figures/aspect.ts';
import type { Report } from '../summary.ts';

interface Row {
  name: string;
  key: keyof Figures;
  meaning: string;
}

const meanings = (report: Report): Row[] => [
  {
    name: 'SRCC',
    key: 'srcc',
    meaning:
      'Do better images get better scores? Compares the order by score with the order by people (Spearman’s rank correlation). 1 is the same order, 0 no relation.',
  },
  {
    name: 'PLCC',
    key: 'plcc',
    meaning:
      'Do scores and ratings lie on one straight line? (Pearson’s correlation of the plain values; papers that fit a curve first report more.) 1 is a line, 0 no relation.',
  },
  {
    name: 'KRCC',
    key: 'krcc',
    meaning:
      'Of two images, how often is the better one scored higher? (Kendall’s tau-b) 0.6 says: in about 8 of 10 pairs; 0 says: no better than a coin.',
  },
  {
    name: 'RMSE',
    key: 'rmse',
    meaning:
      'How far off is a score, in points of the rating scale? Lower is better. (Root of the mean squared error)',
  },
  {
    name: 'Within generator',
    key: 'withinGenerator',
    meaning:
      'SRCC among images of the same generator, averaged. Telling a good generator from a bad one is easy; this is what is left when that cannot help.',
  },
  { name: 'Coverage', key: 'coverage', meaning: coverageMeaning(report) },
  { name: 'Images', key: 'n', meaning: 'Images with both a score and a rating.' },
];

function coverageMeaning({ scales }: Report): string {
  const stated = ASPECTS.flatMap((a) => (scales[a] ? [percent(scales[a].statedCoverage)] : []))[0];
  return `Each score comes with an interval. This is the share of ratings inside it; the scorer states ${stated ?? 'a share of its own'}. Less is false confidence, more is needless doubt.`;
}

interface Column {
  title: string;
  figures: Figures;
  ci: FigureIntervals | null;
}

function columnsOf({ aspects, ci, qualityAsAlignment }: Report): Column[] {
  const columns = ASPECTS.flatMap((a) =>
    aspects[a] ? [{ title: a as string, figures: aspects[a], ci: ci[a] }] : [],
  );
  return qualityAsAlignment
    ? [...columns, { title: 'quality as alignment *', ...qualityAsAlignment }]
    : columns;
}

function textOf(key: keyof Figures, figures: Figures): string {
  if (key === 'n') return String(figures.n);
  return key === 'coverage' ? percent(figures[key], 1) : decimal(figures[key], 3);
}

function cell(key: keyof Figures, { title, figures, ci }: Column): Markup {
  const interval = ci && key in ci ? ci[key as keyof FigureIntervals] : null;
  return html`<td data-of="${title}">${textOf(key, figures)}${interval && html`<span class="ci">${span(interval, 3)}</span>`}</td>`;
}

/** The table, or a sentence when there is nothing to show. */
export function headline(report: Report): Markup {
  const columns = columnsOf(report);
  if (columns.length === 0) return html`<p>No image has both a score and a rating of the same aspect.</p>`;
  const { over, resamples } = report.bootstrap;
  return html`<table class="headline">
<thead><tr><th class="text">figure</th>${columns.map((c) => html`<th>${c.title}</th>`)}<th class="meaning">what it says</th></tr></thead>
<tbody>${meanings(report).map(
    ({ name, key, meaning }) =>
      html`<tr><th scope="row">${name}</th>${columns.map((c) => cell(key, c))}<td class="meaning">${meaning}</td></tr>\n`,
  )}</tbody>
</table>
${columns.some((c) => c.ci?.srcc) && html`<p class="sub">The small figures are 95 % confidence intervals from ${resamples} bootstrap draws of ${over}.</p>`}
${report.qualityAsAlignment && html`<p class="sub">* The quality score held against the alignment ratings: what a score of alignment has to beat.</p>`}`;
}
