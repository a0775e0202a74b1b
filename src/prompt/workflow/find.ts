/**
 * The prompt of the images that arrive at a node: from there up to the nearest sampler, from its conditioning up to the
 * texts. Graphs come from anybody: cycles, links into nothing and ways that double are survived, in bounded time.
 */
import { normalise } from '../words/normalise.ts';
import type { PromptFound, WorkflowRef } from '../../types.ts';
import { createConditionings } from './conditioning.ts';
import { asLink, inputOf, isObject, type Lookup, lookupIn, type Node, nearestNode } from './graph.ts';
import { createImages } from './images.ts';
import { createSearch, type Found, type Search, type Side, Unknowable } from './search.ts';
import { createTexts } from './texts.ts';

const NONE = { prompt: null, negative: null, from: null, original: null, certain: true } as const;
export const noPrompt = (reason: string): PromptFound => ({ ...NONE, reason });

/** Never throws, whatever the graph is. */
export function findInWorkflow({ graph, node: id, input }: WorkflowRef): PromptFound {
  const lookup = lookupIn(graph);
  const start = nearestNode(lookup, id);
  if (!start) return noPrompt(`the workflow has no node ${id.slice(0, 60)}`);
  const sides = [sideOf('positive', graph, lookup, start, input), sideOf('negative', graph, lookup, start, input)];
  const [positive, negative] = sides as [Outcome, Outcome];
  if (!positive.found) return { ...noPrompt(positive.reason), negative: wordsOf(negative.found) };
  return { ...described(positive.found), negative: wordsOf(negative.found) };
}

interface Outcome {
  found: Found | null;
  reason: string;
}

function sideOf(side: Side, graph: unknown, lookup: Lookup, start: Node, input: string | undefined): Outcome {
  const search = createSearch(lookup, () => nodesOf(graph, lookup), side);
  try {
    const found = look(search, start, input);
    return { found, reason: search.misses.at(-1) ?? 'no sampler leads to this image' };
  } catch (error) {
    if (error instanceof Unknowable) return { found: null, reason: error.message };
    throw error;
  }
}

function look(search: Search, start: Node, input: string | undefined): Found | null {
  const texts = createTexts(search);
  const images = createImages(search, texts, createConditionings(search, texts));
  if (input === undefined) return images.at(start);
  const link = asLink(inputOf(start, input));
  if (!link) search.misses.push(`nothing is connected to ${input.slice(0, 60)}`);
  return link ? images.of(link) : null;
}

function* nodesOf(graph: unknown, lookup: Lookup): Iterable<Node> {
  if (!isObject(graph)) return;
  for (const id of Object.keys(graph)) {
    const node = lookup(id);
    if (node) yield node;
  }
}

const wordsOf = (found: Found | null): string | null => (found ? normalise(found.text).words : null);

/** Nodes that are named; a prompt may be put together of many. */
const MOST_NAMED = 4;

function placeOf(nodes: readonly Node[]): string {
  const named = nodes.slice(0, MOST_NAMED).map(({ id, class: name }) => `${id} (${name})`);
  return `workflow node${nodes.length > 1 ? 's' : ''} ${named.join(', ')}${nodes.length > MOST_NAMED ? ', …' : ''}`;
}

function described({ text, nodes, doubt }: Found): PromptFound {
  const { words, negative, reason } = normalise(text);
  const original = words === text ? null : text;
  return { prompt: words, negative, from: placeOf(nodes), original, certain: doubt === null, reason: reason ?? doubt };
}
