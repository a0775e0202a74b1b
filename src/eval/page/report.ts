/** The report as a web page. */
import { counted } from '../../lib/words.ts';
import { decimal, percent } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import { page } from '../../page/page.ts';
import { loadPlots } from '../../page/plots.ts';
import { ASPECTS } from '../../types/aspect.ts';
import { type Outcome, pairUp } from '../figures/pairs.ts';
import { aspectReport, type Report } from '../summary.ts';
import { headline } from './headline.ts';
import { aspectSection } from './sections.ts';
import type { Thumbnails } from './thumbnails.ts';

const LISTED = 50;

/**
 * Renders the page.
 *
 * @param outcomes what `report` was made of: the dots of the plots
 * @param thumbnails small pictures of the worst misses
 */
export async function renderReport(
  report: Report,
  outcomes: readonly Outcome[],
  thumbnails: Thumbnails = new Map(),
): Promise<string> {
  const draw = await loadPlots();
  const sections = ASPECTS.flatMap((aspect) => {
    const own = aspectReport(report, aspect);
    const pairs = own && pairUp(outcomes, aspect, aspect, own.scale.mappedFrom);
    return own && pairs ? [aspectSection({ aspect, report: own, pairs, draw, thumbnails })] : [];
  });
  return page(`${nameOf(report)} against people`, [
    header(report),
    notes(report.notes),
    headline(report),
    ...sections,
    guards(report),
    failures(report),
    provenance(report),
  ]);
}

const nameOf = ({ scorer, requested }: Report): string => scorer?.id ?? requested ?? 'No scorer';

function header(report: Report): Markup {
  const { rated, scored, failed, unreached } = report.images;
  return html`<header><h1>${nameOf(report)} against people</h1>
<p class="sub">How well scores agree with the ratings in ${report.ratings}: ${scored} of ${counted(rated, 'image')} scored${
    failed > 0 && html`, <span class="bad">${failed} failed</span>`
  }${unreached > 0 && html`, <span class="bad">${unreached} not reached</span>`}.</p></header>`;
}

const notes = (texts: readonly string[]): Markup =>
  texts.length ? html`<div class="notes"><ul>${texts.map((t) => html`<li>${t}</li>`)}</ul></div>` : html``;

function guards({ guards: { checked, falseAlarmAbove, sound, guards, hits } }: Report): Markup {
  if (hits.length === 0) return html`<h2>Guards</h2><p>No guard tripped on ${counted(checked, 'image')}.</p>`;
  return html`<h2>Guards</h2>
<p>Guards find images that a model cannot judge, such as blank ones. A hit counts as a false alarm when people rated the image above the set’s lowest tenth (${decimal(falseAlarmAbove, 2)}); the share is of the ${sound} images above it.</p>
<div class="scroll"><table class="small fit"><thead><tr><th>guard</th><th>hits</th><th>false alarms</th><th>share</th></tr></thead>
<tbody>${guards.map(
    (g) =>
      html`<tr><td class="text">${g.guard}</td><td>${g.hits}</td><td>${g.falseAlarms}</td><td>${percent(g.falseAlarmShare, 2)}</td></tr>`,
  )}</tbody></table></div>
<h3>Images</h3><div class="scroll"><table class="small">
<thead><tr><th>image</th><th class="text">guard</th><th class="text">finding</th><th>rating</th><th class="text"></th></tr></thead>
<tbody>${hits
    .slice(0, LISTED)
    .map(
      (h) =>
        html`<tr><td class="text">${h.name}</td><td class="text">${h.guard}</td><td class="text">${h.message}</td><td>${decimal(h.mos, 2)}</td><td class="text">${h.falseAlarm && 'false alarm'}</td></tr>\n`,
    )}</tbody></table></div>${more(hits.length)}`;
}

function failures({ failed }: Report): Markup {
  if (failed.length === 0) return html``;
  return html`<h2>Failed images</h2><div class="scroll"><table class="small">
<thead><tr><th>image</th><th>line</th><th class="text">code</th><th class="text">what happened</th></tr></thead>
<tbody>${failed
    .slice(0, LISTED)
    .map(
      (f) =>
        html`<tr><td class="text">${f.name}</td><td>${f.line}</td><td class="text">${f.code}</td><td class="text">${f.message}</td></tr>\n`,
    )}</tbody></table></div>${more(failed.length)}`;
}

const more = (count: number): Markup =>
  count > LISTED ? html`<p class="sub">and ${count - LISTED} more, all in report.json</p>` : html``;

function provenance({ scorer, ratings, columns, at, timings, bootstrap }: Report): Markup {
  const facts: [string, string][] = [
    ...(scorer
      ? ([
          ['scorer', `${scorer.id} ${scorer.version}, variant ${scorer.variant}`],
          ['weights', scorer.weights],
          ['calibration', scorer.calibration],
        ] satisfies [string, string][])
      : []),
    [
      'ratings',
      `${ratings}: ${Object.entries(columns)
        .map(([aspect, column]) => `${aspect} from ${column}`)
        .join(', ')}`,
    ],
    ['evaluated', `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['speed', `${decimal(timings.imagesPerSecond, 1)} images/s, ${decimal(timings.scoreSeconds, 1)} s`],
    ['intervals', `95 %, ${bootstrap.resamples} seeded bootstrap draws of ${bootstrap.over}`],
  ];
  return html`<h2>How this was made</h2><dl>${facts.map(([k, v]) => html`<dt>${k}</dt><dd>${v}</dd>\n`)}</dl>
<p class="sub">All figures are in report.json, all predictions in predictions.csv beside this page.</p>`;
}
