/** Predictions against ratings, a dot per image: all at once, and generator by generator. */

import { decimal } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import type { GeneratorRow } from '../figures/aspect.ts';
import { familyOf, groupBy, type Pair } from '../figures/pairs.ts';
import { type Axes, type Dot, padded, panel, scatter } from './drawings.ts';
import { type AspectView, figure, largestGenerators } from './view.ts';

/** More dots hide each other and make a heavy page. */
const MOST_DOTS = 5000;
const COLORS = Array.from({ length: 8 }, (_, i) => `var(--g${i})`);
const OTHER = 'var(--other)';

interface Cloud {
  shown: readonly Pair[];
  axes: Axes;
  /** What the colours tell apart; null for a single colour. */
  kind: 'family' | 'generator' | null;
  keyOf: (pair: Pair) => string | null;
  /** Colour of each key that has its own. */
  colors: Map<string, string>;
}

function cloudOf({ pairs, report }: AspectView): Cloud {
  const step = Math.ceil(pairs.length / MOST_DOTS);
  const shown = pairs.filter((_, i) => i % step === 0);
  return { shown, axes: axesOf(pairs, report.scale.comparable), ...coloring(pairs, report.generators) };
}

/** One scale for both axes where scores and ratings can be compared, so that the diagonal means agreement. */
function axesOf(pairs: readonly Pair[], comparable: boolean): Axes {
  const score = pairs.map((p) => p.score);
  const mos = pairs.map((p) => p.mos);
  const both = padded([...score, ...mos]);
  return { score: comparable ? both : padded(score), mos: comparable ? both : padded(mos), comparable };
}

/** By family, or by generator where all are of one family; the keys with the most images get a colour of their own. */
function coloring(
  pairs: readonly Pair[],
  rows: readonly GeneratorRow[],
): Pick<Cloud, 'kind' | 'keyOf' | 'colors'> {
  const families = new Set(rows.map((r) => familyOf(r.generator)));
  const keyOf = ({ generator }: Pair) => (generator && families.size > 1 ? familyOf(generator) : generator);
  const largest = [...groupBy(pairs, keyOf)]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, COLORS.length);
  const names = largest.map(([name]) => name).sort();
  const colors = new Map(names.map((name, i) => [name, COLORS[i]!]));
  const kind = families.size > 1 ? 'family' : 'generator';
  return { kind: colors.size > 1 ? kind : null, keyOf, colors };
}

const colorOf = (pair: Pair, { kind, keyOf, colors }: Cloud): string =>
  kind ? (colors.get(keyOf(pair) ?? '') ?? OTHER) : 'var(--accent)';

const dotsOf = (pairs: readonly Pair[], cloud: Cloud): Dot[] =>
  pairs.map((pair) => ({ score: pair.score, mos: pair.mos, color: colorOf(pair, cloud) }));

function legend(pairs: readonly Pair[], cloud: Cloud): Markup {
  if (!cloud.kind) return html``;
  const keys = [...cloud.colors];
  if (pairs.some((p) => colorOf(p, cloud) === OTHER)) keys.push(['other', OTHER]);
  return html`<ul class="legend">${keys.map(([name, color]) => html`<li><i style="background:${color}"></i>${name}</li>`)}</ul>`;
}

const colorWords = {
  none: '',
  family: ', its colour the generator family',
  generator: ', its colour the generator',
};

/** All images in one plot. */
export function scatterFigure(view: AspectView): Markup {
  const { aspect, report, pairs, draw } = view;
  const cloud = cloudOf(view);
  const { shown, axes } = cloud;
  return figure(
    'Prediction against people',
    draw(scatter(dotsOf(shown, cloud), axes), `Predicted ${aspect} against mean opinion score`),
    legend(pairs, cloud),
    `One dot is one image${colorWords[cloud.kind ?? 'none']}. `,
    axes.comparable
      ? 'On the dashed line, score and mean opinion agree. '
      : 'Scores and ratings are in different scales. ',
    shown.length < pairs.length && `${shown.length} of ${pairs.length} images are drawn. `,
    html`<strong>SRCC ${decimal(report.figures.srcc, 3)}, PLCC ${decimal(report.figures.plcc, 3)}.</strong>`,
  );
}

/** A small plot for each generator, on the same axes; nothing when there are less than two. */
export function generatorPanels(view: AspectView): Markup {
  const { aspect, report, draw } = view;
  const cloud = cloudOf(view);
  const { shown, axes } = cloud;
  if (report.generators.length < 2) return html``;
  const groups = groupBy(shown, (p) => p.generator);
  const panels = largestGenerators(report.generators).map(({ generator, srcc, n }) => {
    const dots = dotsOf(groups.get(generator) ?? [], cloud);
    const plot = draw(panel(dots, axes), `Predicted ${aspect} against mean opinion score: ${generator}`);
    const text = `SRCC ${decimal(srcc, 2)} · ${n} images`;
    return html`<div class="panel"><h4>${generator}</h4><p>${text}</p>${plot}</div>\n`;
  });
  return html`<h3>Inside each generator</h3>
<p class="meaning">The same dots, one generator at a time: predicted score across, MOS up. A cloud without slope means that the scorer knows the generator, but not which of its images is better.</p>
<div class="panels">${panels}</div>`;
}
