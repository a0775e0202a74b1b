/** The report of a refinement as a web page: the verdict, what was tried, and the pairs that decided. */
import { counted } from '../../lib/words.ts';
import { decimal } from '../../page/format.ts';
import { html, type Markup } from '../../page/html.ts';
import { page } from '../../page/page.ts';
import type { Attempt } from '../../types/proposer.ts';
import type { Refinement } from './refinement.ts';
import type { Variant, Verdict } from './types.ts';

/** More would make a page that browsers take long to show. */
const MOST_PAIRS = 60;
const LISTED = 50;

const STYLE = `
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; margin: 1rem 0; padding: 0; list-style: none; }
.pairs li { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; font-size: .85rem; }
.pairs img, .pairs .none { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--tint); display: block; }
.prompt { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--accent); padding-left: .75rem; }`;

export interface RefineReportParts {
  refinement: Refinement;
  /** Null: it was stopped, and can be gone on with. */
  verdict: Verdict | null;
  /** Of the workflow, for people. */
  title: string;
  facts: readonly (readonly [string, string])[];
  /** Data URL of an image; null when it cannot be shown. */
  thumbnail(image: string): Promise<string | null>;
}

export async function renderRefinement(parts: RefineReportParts): Promise<string> {
  const { refinement, verdict, title } = parts;
  return page(
    `Prompt of ${title}`,
    [
      header(parts),
      notes(refinement.notes),
      tried(refinement),
      await pairs(parts, verdict?.candidate ?? null),
      refused(refinement),
      provenance(parts),
    ],
    STYLE,
  );
}

function header({ refinement, verdict, title }: RefineReportParts): Markup {
  const made = `${counted(refinement.spent(), 'image')}, ${counted(refinement.variants.length - 1, 'variant')}`;
  const words = verdict
    ? html`<p><b>${verdict.words}</b></p><p class="sub">${verdict.reason}. ${made}.</p>`
    : html`<p class="sub">It was stopped, and can be gone on with. ${made}.</p>`;
  const better =
    verdict?.kind === 'better' && html`<h2>The better prompt</h2><p class="prompt">${verdict.prompt}</p>`;
  return html`<header><h1>Prompt of ${title}</h1>${words}</header>${better}
<h2>The original</h2><p class="prompt">${refinement.spec.prompt}</p>`;
}

const notes = (texts: readonly string[]): Markup =>
  texts.length ? html`<div class="notes"><ul>${texts.map((t) => html`<li>${t}</li>`)}</ul></div>` : html``;

function tried({ variants, spec, history }: Refinement): Markup {
  const names = new Map(variants.map((variant) => [variant.prompt, variant]));
  const row = ({ prompt, value, gain, seeds, critique }: Attempt): Markup => {
    const { id, round } = names.get(prompt)!;
    return html`<tr><td>${id}</td><td>${round || '–'}</td><td>${decimal(value, 3)}</td><td>${decimal(gain, 3)}</td><td>${seeds}</td><td class="text">${prompt}</td><td class="text">${critique}</td></tr>\n`;
  };
  return html`<h2>What was tried</h2><div class="scroll"><table class="small">
<caption>Means over the seeds that a variant was made with; the gain is to the original on the same seeds. The best of these gained by luck, too: what it is worth is what fresh seeds say.</caption>
<thead><tr><th></th><th>round</th><th>${spec.by}</th><th>gain</th><th>seeds</th><th class="text">prompt</th><th class="text">images</th></tr></thead>
<tbody>${history().attempts.map(row)}</tbody></table></div>`;
}

async function pairs(
  { refinement, thumbnail }: RefineReportParts,
  candidate: Variant | null,
): Promise<Markup> {
  if (!candidate) return html``;
  const { spec, variants } = refinement;
  const cell = async (variant: Variant, seed: number): Promise<Markup> => {
    const [image] = refinement.imagesOf(variant, seed);
    const url = image && (await thumbnail(image.image));
    const picture = url
      ? html`<img src="${url}" alt="${image.image}" loading="lazy">`
      : html`<div class="none"></div>`;
    return html`<div>${picture}${decimal(image?.values[spec.by] ?? null, 3)}</div>`;
  };
  const items: Markup[] = [];
  for (let i = 0; i < Math.min(spec.confirm, MOST_PAIRS); i++) {
    const seed = spec.seeds + i;
    if (refinement.imagesOf(candidate, seed).length > 0)
      items.push(html`<li>${await cell(variants[0]!, seed)}${await cell(candidate, seed)}</li>\n`);
  }
  return html`<h2>On fresh seeds</h2><p class="sub">The original on the left, ${candidate.id} on the right.</p><ul class="pairs">${items}</ul>`;
}

function refused({ refused: all }: Refinement): Markup {
  if (all.length === 0) return html``;
  const rows = all.slice(0, LISTED);
  return html`<h2>Proposed and not tried</h2><div class="scroll"><table class="small"><tbody>${rows.map(
    ({ prompt, reason }) => html`<tr><td class="text">${prompt}</td><td class="text">${reason}</td></tr>\n`,
  )}</tbody></table></div>`;
}

const provenance = ({ facts }: RefineReportParts): Markup => html`<h2>How this was made</h2>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>
<p class="sub">All proposals, trials and scores are in journal.jsonl beside this page, the images in images/.</p>`;
