/** The page's part on one aspect: its plots, the table of generators and the worst misses. */

import { decimal, percent, span } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import type { GeneratorRow, Miss } from '../figures/aspect.ts';
import type { BestOfN } from '../figures/best-of-n.ts';
import { familyOf } from '../figures/pairs.ts';
import { coverageFigure, orderFigure } from './bar-figures.ts';
import { generatorPanels, scatterFigure } from './dot-figures.ts';
import { bestOf, calibration } from './drawings.ts';
import type { Thumbnails } from './thumbnails.ts';
import { type AspectView, figure } from './view.ts';

/** Everything about one aspect; parts that the ratings do not allow are left out. */
export function aspectSection(view: AspectView): Markup {
  const { aspect, report } = view;
  const families = new Set(report.generators.map((g) => familyOf(g.generator)));
  return html`<section id="${aspect}"><h2>${aspect[0]!.toUpperCase() + aspect.slice(1)}</h2>
<div class="figures">
${scatterFigure(view)}
${calibrationFigure(view)}
${orderFigure(view)}
${coverageFigure(view)}
${bestOfFigure(view, report.bestOf.prompt, 'Best of N images of one prompt', 'of any generator')}
${families.size > 1 && bestOfFigure(view, report.bestOf.promptAndFamily, 'Best of N of one generator family', 'of one generator family')}
</div>
${generatorPanels(view)}
${generatorTable(report.generators)}
${worstLists(view)}
</section>`;
}

function calibrationFigure({ aspect, report: { calibration: bins, scale }, draw }: AspectView): Markup {
  const stated = percent(scale.statedCoverage);
  return figure(
    'Calibration',
    draw(calibration(bins, scale.comparable), `Mean opinion score by predicted ${aspect}`),
    `Images in groups of similar score, from low to high. A dot is a group’s mean score and mean MOS, its bar holds ${stated} of its ratings. `,
    scale.comparable
      ? 'The band is what the scorer states for that share. Dots on the dashed line and bars as high as the band mean that a score can be taken at its word.'
      : 'The scales differ, so only the shape can be judged: it should rise steadily.',
  );
}

/** A number of candidates that people do wait for. */
const EXAMPLE_N = 4;

function bestOfFigure(view: AspectView, curve: BestOfN[] | null, title: string, kind: string): Markup {
  const example = curve?.[Math.min(EXAMPLE_N, curve.length) - 1];
  if (!curve || !example) return html``;
  const { n, pick, random, oracle, gain, groups } = example;
  const share = gain === null ? '' : `: ${percent(gain)} of the possible gain`;
  return figure(
    title,
    view.draw(bestOf(curve), `MOS of the best of N by ${view.aspect} score`),
    `Make N images ${kind} for a prompt and keep the one with the best ${view.aspect} score: how good is it to people? “Blind” keeps any, “ideal” asks the people. `,
    html`<strong>Best of ${n}: MOS ${decimal(pick, 2)}, blind ${decimal(random, 2)}, ideal ${decimal(oracle, 2)}${share}</strong> (${groups} groups).`,
  );
}

function generatorTable(rows: readonly GeneratorRow[]): Markup {
  if (rows.length === 0) return html``;
  return html`<h3>Generators</h3><div class="scroll"><table class="small">
<thead><tr><th>generator</th><th>images</th><th>SRCC</th><th>coverage</th><th>mean MOS</th><th>mean score</th></tr></thead>
<tbody>${rows.map(
    (g) =>
      html`<tr><td class="text">${g.generator}</td><td>${g.n}</td><td>${decimal(g.srcc, 3)}</td><td>${percent(g.coverage, 1)}</td><td>${decimal(g.meanMos, 2)}</td><td>${decimal(g.meanScore, 2)}</td></tr>\n`,
  )}</tbody></table></div>`;
}

function worstLists({ report: { worst }, thumbnails }: AspectView): Markup {
  const by = worst.by === 'rank' ? ', by difference in rank' : '';
  return html`<h3>Worst misses</h3><div class="lists">
${missTable(`Scored too high${by}`, worst.scoredTooHigh, thumbnails)}${missTable(`Scored too low${by}`, worst.scoredTooLow, thumbnails)}</div>`;
}

function missTable(title: string, misses: readonly Miss[], thumbnails: Thumbnails): Markup {
  if (misses.length === 0) return html`<p class="sub">${title}: none</p>`;
  const guards = (m: Miss) => m.guards.length > 0 && html` <span class="bad">(${m.guards.join(', ')})</span>`;
  const picture = ({ name }: Miss) => {
    const url = thumbnails.get(name);
    return url !== undefined && html`<img class="miss" src="${url}" alt="${name}"><br>`;
  };
  return html`<div class="scroll"><table><caption>${title}</caption>
<thead><tr><th>image</th><th>MOS</th><th>score</th><th>interval</th></tr></thead>
<tbody>${misses.map(
    (m) =>
      html`<tr><td class="text">${picture(m)}${m.name}${guards(m)}</td><td>${decimal(m.mos, 2)}</td><td>${decimal(m.score, 2)}</td><td>${span(m.interval, 2)}</td></tr>\n`,
  )}</tbody></table></div>\n`;
}
