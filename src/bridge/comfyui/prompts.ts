/**
 * Finds the text that an image was generated from: from the node that shows it up to the sampler, from its positive
 * conditioning up to the nodes that hold text. Graphs come from anybody: cycles and links into nothing are survived.
 */
import { asLink, linksIn, lookupIn, type Node } from './graph.ts';
import { createTexts } from './prompt-texts.ts';

/** Conditioning inputs of samplers and guiders, most telling first. */
const GUIDES = ['positive', 'guider', 'conditioning', 'cond1'];
const GUIDING = /positive|negative|guider|cond/i;
/** Texts that all-in-one generators take themselves. `text` is not among them: overlays have it, too. */
const OWN_TEXTS = ['positive', 'positive_prompt', 'prompt', 'text_positive'];

/**
 * The positive prompt of the images that `output` shows. Several texts (two text encoders, combined conditionings) are
 * joined by commas, without repetition. Null when there is none.
 *
 * @param graph API format; anything is taken
 * @param output id of a node that shows or saves images
 */
export function promptOf(graph: unknown, output: string): string | null {
  const lookup = lookupIn(graph);
  const texts = createTexts(lookup);
  const seen = new Set<string>();
  for (let level = [output]; level.length > 0; ) {
    const fresh = level.filter((id) => !seen.has(id));
    for (const id of fresh) seen.add(id);
    const found = distinct(fresh.flatMap((id) => textsAt(lookup(id), texts)));
    if (found.length > 0) return found.join(', ');
    level = fresh.flatMap((id) => sourcesOf(lookup(id)));
  }
  return null;
}

/** Texts that a node on the way of the image was guided by. */
function textsAt(node: Node | undefined, texts: ReturnType<typeof createTexts>): string[] {
  if (!node) return [];
  const guide = GUIDES.map((name) => asLink(node.inputs[name])).find((link) => link !== undefined);
  if (guide) return texts.fromConditioning(guide);
  const own = OWN_TEXTS.find((name) => name in node.inputs);
  return own === undefined ? [] : texts.fromInput(node.inputs[own]);
}

/** The way of the image: not into what a sampler was guided by, which has been looked at. */
const sourcesOf = (node: Node | undefined): string[] =>
  node ? linksIn(node).flatMap(([name, [id]]) => (GUIDING.test(name) ? [] : [id])) : [];

/** Each text once, and none that a longer one holds: encoders of several language models are mostly given the same. */
const distinct = (texts: string[]): string[] =>
  [...new Set(texts)].filter((text, _, all) => !all.some((other) => other !== text && other.includes(text)));
