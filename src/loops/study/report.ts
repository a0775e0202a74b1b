/** The report of a study as a web page: a contact sheet, winners first, and how it went. */

import { counted } from '../../lib/words.ts';
import { decimal, percent, span } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import { page } from '../../page/page.ts';
import { type Drawing, loadPlots } from '../../page/plots.ts';
import { regretOf, regretWords } from '../previews/regret.ts';
import { courseOf, type EarlierStop, earlierStops, type Point } from './course.ts';
import { imagesOf } from './pick.ts';
import type { Study } from './study.ts';
import type { Candidate, Done, Scored, Trial } from './types.ts';

/** More would make a page that browsers take long to show. */
const MOST_SHOWN = 300;
const LISTED = 50;

const STYLE = `
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1.25rem 1rem; margin: 1rem 0; padding: 0; list-style: none; }
.sheet li { font-size: .85rem; min-width: 0; overflow-wrap: anywhere; }
.sheet img, .sheet .none { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--tint); border-radius: 3px; display: block; }
.sheet b { font-size: 1rem; }
.sheet.best { grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
.sheet.best img { outline: 3px solid var(--accent); }`;

export interface ReportParts {
  study: Study;
  /** Why it is over; null: it was stopped, and can be gone on with. */
  done: Done | null;
  /** Of the workflow, for people. */
  title: string;
  /** Name of the scorer, host and so on. */
  facts: readonly (readonly [string, string])[];
  notes: readonly string[];
  /** Data URL of an image of the study; null when it cannot be shown. */
  thumbnail(image: string): Promise<string | null>;
}

export async function renderStudy(parts: ReportParts): Promise<string> {
  const { study, title, thumbnail } = parts;
  const ranking = study.ranking();
  const pictures = new Map<string, string | null>();
  for (const { scored } of ranking.slice(0, MOST_SHOWN))
    pictures.set(scored.image, await thumbnail(scored.image));
  const points = courseOf(study);
  return page(
    `Best of ${title}`,
    [
      header(parts, ranking.length),
      notes(parts.notes),
      winners(study, pictures),
      await course(study, points),
      early(study),
      stops(study, earlierStops(points)),
      rest(study, ranking.slice(study.spec.keep, MOST_SHOWN), pictures),
      unscored(study),
      failures(study),
      provenance(parts),
    ],
    STYLE,
  );
}

const byOf = ({ spec: { pick } }: Study): string =>
  pick.length > 1 ? `ranks by ${pick.join(', ')}` : pick[0]!;

const header = (
  { study, done, title }: ReportParts,
  scored: number,
): Markup => html`<header><h1>Best of ${title}</h1>
<p class="sub">${counted(study.trials.length, 'trial')}, ${counted(scored, 'image')} to choose from, ${counted(study.winners().length, 'image')} kept by ${byOf(study)}. ${
  done ? `It ended because ${done.words}.` : 'It was stopped, and can be gone on with.'
}</p></header>`;

const notes = (texts: readonly string[]): Markup =>
  texts.length ? html`<div class="notes"><ul>${texts.map((t) => html`<li>${t}</li>`)}</ul></div>` : html``;

/** The score with its interval, and what else was measured. */
function scoresOf(pick: readonly string[], { values, intervals }: Scored): Markup[] {
  return Object.entries(values)
    .filter(([, value]) => value !== null)
    .map(([measure, value]) => {
      const interval = intervals?.[measure];
      const name = pick.includes(measure)
        ? html`<b>${measure} ${decimal(value, 2)}</b>`
        : html`${measure} ${decimal(value, 2)}`;
      return html`${name}${interval && html` <span class="sub">(${span(interval, 2)})</span>`}<br>`;
    });
}

const variedOf = (trial: Trial): string =>
  [
    `seed ${trial.seed}`,
    ...Object.entries(trial.parameters).map(([name, value]) => `${name} = ${value}`),
  ].join(', ');

type Pictures = ReadonlyMap<string, string | null>;

function card(study: Study, { trial, scored }: Candidate, rank: string, pictures: Pictures): Markup {
  const url = pictures.get(scored.image);
  const picture = url
    ? html`<img src="${url}" alt="${scored.image}" loading="lazy">`
    : html`<div class="none"></div>`;
  return html`<li>${picture}${rank}${scoresOf(study.spec.pick, scored)}<span class="sub">${variedOf(trial)}<br>${scored.image}</span></li>\n`;
}

function winners(study: Study, pictures: Pictures): Markup {
  const cards = study.winners().map((candidate, i) => card(study, candidate, `${i + 1}. `, pictures));
  if (cards.length === 0)
    return html`<h2>Winners</h2><p>No image could be kept; what was left out is below, with why.</p>`;
  return html`<h2>Winners</h2><ul class="sheet best">${cards}</ul>`;
}

const drawing =
  (points: readonly Point[], by: string): Drawing =>
  (Plot) => ({
    width: 720,
    height: 300,
    marginTop: 28,
    marginLeft: 52,
    marginBottom: 44,
    x: { label: 'images made', grid: true },
    y: { label: by, grid: true },
    marks: [
      Plot.dot(
        points.filter(({ value }) => value !== null),
        { x: 'work', y: 'value', r: 3, fill: 'var(--muted, #6b7280)', fillOpacity: 0.7 },
      ),
      Plot.line(
        points.filter(({ best }) => best !== null),
        { x: 'work', y: 'best', curve: 'step-after', stroke: 'var(--accent, #2f6bd8)', strokeWidth: 2.2 },
      ),
    ],
  });

async function course(study: Study, points: readonly Point[]): Promise<Markup> {
  if (points.every(({ best }) => best === null)) return html``;
  const draw = await loadPlots();
  const by = byOf(study);
  return html`<h2>The best so far</h2><figure>${draw(drawing(points, by), `Best ${by} against images made`)}
<figcaption>Each dot is a trial, by the images made up to it; the line is the best so far.</figcaption></figure>`;
}

/** What stopping by previews has spared, and what it may have cost. */
function early(study: Study): Markup {
  const regret = regretOf(study.trials, study.spec);
  if (!regret || regret.pruned + regret.checked === 0) return html``;
  return html`<h2>Stopped early</h2><p>${regretWords(regret, byOf(study)).map((words) => html`${words}<br>`)}</p>`;
}

function stops(study: Study, rows: readonly EarlierStop[]): Markup {
  if (rows.length === 0) return html``;
  const kept = study.spec.keep > 1 ? `the ${study.spec.keep} kept images, on average,` : 'the kept image';
  return html`<h2>Had it stopped earlier</h2><div class="scroll"><table class="fit">
<caption>What ${kept} would have been worth less by ${byOf(study)}.</caption>
<thead><tr><th>after images</th><th>spared</th><th>kept value</th><th>loss</th></tr></thead>
<tbody>${rows.map(
    ({ point, loss, spared }) =>
      html`<tr><td>${decimal(point.work, point.work % 1 ? 1 : 0)}</td><td>${percent(spared)}</td><td>${decimal(point.kept, 3)}</td><td>${decimal(loss, 3)}</td></tr>\n`,
  )}</tbody></table></div>`;
}

function rest(study: Study, candidates: readonly Candidate[], pictures: Pictures): Markup {
  if (candidates.length === 0) return html``;
  const cards = candidates.map((candidate, i) =>
    card(study, candidate, `${study.spec.keep + i + 1}. `, pictures),
  );
  return html`<h2>The others</h2><ul class="sheet">${cards}</ul>`;
}

/** Images that were made and cannot win. */
function unscored(study: Study): Markup {
  const ranked = new Set(study.ranking().map(({ scored }) => scored.image));
  const others = study.trials
    .filter(({ trial }) => trial.stage.effort === 1)
    .flatMap(({ outcome }) => imagesOf(outcome))
    .filter(({ image }) => !ranked.has(image));
  if (others.length === 0) return html``;
  return html`<h2>Left out</h2><div class="scroll"><table class="small"><tbody>${others
    .slice(0, LISTED)
    .map(
      ({ image, reasons = [] }) =>
        html`<tr><td class="text">${image}</td><td class="text">${reasons.join('; ') || 'it has no score'}</td></tr>\n`,
    )}</tbody></table></div>`;
}

function failures({ trials }: Study): Markup {
  const failed = trials.flatMap(({ trial, outcome }) =>
    outcome && 'failed' in outcome ? [{ trial, ...outcome.failed }] : [],
  );
  if (failed.length === 0) return html``;
  return html`<h2>Failed trials</h2><div class="scroll"><table class="small"><tbody>${failed
    .slice(0, LISTED)
    .map(
      ({ trial, code, message }) =>
        html`<tr><td class="text">${trial.id}</td><td class="text">${variedOf(trial)}</td><td class="text">${code}</td><td class="text">${message}</td></tr>\n`,
    )}</tbody></table></div>`;
}

const provenance = ({ facts }: ReportParts): Markup => html`<h2>How this was made</h2>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
<p class="sub">All trials and scores are in journal.jsonl beside this page, the images in images/, the winners in winners/.</p>`;
