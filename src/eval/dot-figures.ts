/** Predictions against ratings, a dot per image: all at once, and generator by generator. */
import { type Axes, type Dot, padded, panel, scatter } from './drawings.ts';
import { decimal } from './format.ts';
import { html, type Markup } from './html.ts';
import { familyOf, groupBy, type Pair } from './pairs.ts';
import { type AspectView, figure, largestGenerators } from './view.ts';

/** More dots hide each other and make a heavy page. */
const MOST_DOTS = 5000;
const COLORS = Array.from({ length: 8 }, (_, i) => `var(--g${i})`);
const OTHER = 'var(--other)';

interface Cloud {
  shown: readonly Pair[];
  axes: Axes;
  /** Colour of each family that has its own; empty without generators. */
  colors: Map<string, string>;
}

const cloudOf = ({ pairs, report }: AspectView): Cloud => {
  const step = Math.ceil(pairs.length / MOST_DOTS);
  const shown = pairs.filter((_, i) => i % step === 0);
  return { shown, axes: axesOf(pairs, report.scale.comparable), colors: familyColors(pairs) };
};

/** One scale for both axes where scores and ratings can be compared, so that the diagonal means agreement. */
function axesOf(pairs: readonly Pair[], comparable: boolean): Axes {
  const score = pairs.map((p) => p.score);
  const mos = pairs.map((p) => p.mos);
  const both = padded([...score, ...mos]);
  return { score: comparable ? both : padded(score), mos: comparable ? both : padded(mos), comparable };
}

/** The families with the most images get a colour each; the rest share one. */
function familyColors(pairs: readonly Pair[]): Map<string, string> {
  const families = [...groupBy(pairs, familyIn)].sort(([, a], [, b]) => b.length - a.length);
  const names = families.slice(0, COLORS.length).map(([name]) => name);
  return new Map(names.sort().map((name, i) => [name, COLORS[i]!]));
}

const familyIn = ({ generator }: Pair): string | null => generator && familyOf(generator);

function colorOf(pair: Pair, colors: Map<string, string>): string {
  if (colors.size === 0) return 'var(--accent)';
  return colors.get(familyIn(pair) ?? '') ?? OTHER;
}

const dotsOf = (pairs: readonly Pair[], colors: Map<string, string>): Dot[] =>
  pairs.map((pair) => ({ score: pair.score, mos: pair.mos, color: colorOf(pair, colors) }));

function legend(pairs: readonly Pair[], colors: Map<string, string>): Markup {
  const keys = [...colors];
  if (pairs.some((p) => colorOf(p, colors) === OTHER)) keys.push(['other', OTHER]);
  if (keys.length < 2) return html``;
  return html`<ul class="legend">${keys.map(([name, color]) => html`<li><i style="background:${color}"></i>${name}</li>`)}</ul>`;
}

/** All images in one plot. */
export function scatterFigure(view: AspectView): Markup {
  const { aspect, report, pairs, draw } = view;
  const { shown, axes, colors } = cloudOf(view);
  return figure(
    'Prediction against people',
    draw(scatter(dotsOf(shown, colors), axes), `Predicted ${aspect} against mean opinion score`),
    legend(pairs, colors),
    `One dot is one image${colors.size > 1 ? ', its colour the generator family' : ''}. `,
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
  const { shown, axes, colors } = cloudOf(view);
  if (report.generators.length < 2) return html``;
  const groups = groupBy(shown, (p) => p.generator);
  const panels = largestGenerators(report.generators).map(({ generator, srcc, n }) => {
    const dots = dotsOf(groups.get(generator) ?? [], colors);
    const plot = draw(panel(dots, axes), `Predicted ${aspect} against mean opinion score: ${generator}`);
    const text = `SRCC ${decimal(srcc, 2)} · ${n} images`;
    return html`<div class="panel"><h4>${generator}</h4><p>${text}</p>${plot}</div>\n`;
  });
  return html`<h3>Inside each generator</h3>
<p class="meaning">The same dots, one generator at a time: predicted score across, MOS up. A cloud without slope means that the scorer knows the generator, but not which of its images is better.</p>
<div class="panels">${panels}</div>`;
}
