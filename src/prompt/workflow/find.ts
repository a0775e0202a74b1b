/**
 * The prompt of the images that arrive at a node: from there up to the nearest sampler, from its conditioning up to the
 * texts. Graphs come from anybody: cycles, links into nothing and ways that double are survived, in bounded time.
 */
import type { PromptFound, WorkflowRef } from '../../types/prompt.ts';
import { normalise } from '../words/normalise.ts';
import { Conditionings } from './conditioning.ts';
import { type Graph, linkAt, type Node, nearestNode, openGraph, Unknowable } from './graph.ts';
import { Images } from './images.ts';
import { createSearch, type Found, type Search } from './search.ts';
import { Texts } from './texts.ts';

const NONE = { prompt: null, negative: null, from: null, original: null } as const;

/** @param certain whether it is known that there is none; else there may be one that was not found */
export const noPrompt = (reason: string, certain = false): PromptFound => ({ ...NONE, certain, reason });

/** The images of a request share their place, and with it what was found there. */
const places = new WeakMap<WorkflowRef, PromptFound>();

/** Never throws, whatever the graph is. */
export function findInWorkflow(place: WorkflowRef): PromptFound {
  const found = places.get(place) ?? findAt(openGraph(place.graph), place.node, place.input);
  places.set(place, found);
  return found;
}

/** @param graph may be searched for many nodes; they share what may be spent on it */
export function findAt(graph: Graph, id: string, input?: string): PromptFound {
  const start = nearestNode(graph.lookup, id);
  if (!start) return noPrompt(`the workflow has no node ${id.slice(0, 60)}`);
  const positive = look(createSearch(graph, 'positive'), start, input);
  const negative = wordsOf(look(createSearch(graph, 'negative'), start, input).found);
  const found = positive.found ? described(positive.found) : noPrompt(positive.reason, positive.isSilent);
  const sides = [negative, found.negative].filter((words) => words !== null);
  return { ...found, negative: sides.length > 0 ? [...new Set(sides)].join(', ') : null };
}

interface Outcome {
  found: Found | null;
  reason: string;
  /** Whether nothing was found because nothing is there. */
  isSilent: boolean;
}

function look(search: Search, start: Node, input: string | undefined): Outcome {
  try {
    const found = follow(search, start, input);
    return { found, reason: reasonOf(search), isSilent: search.isSilent };
  } catch (error) {
    if (error instanceof Unknowable) return { found: null, reason: error.message, isSilent: false };
    throw error;
  }
}

function reasonOf({ misses, silences, isSilent }: Search): string {
  const reason = misses.at(-1) ?? silences.at(-1) ?? 'no sampler leads to this image';
  return isSilent ? `the prompt is empty: ${reason}` : reason;
}

function follow(search: Search, start: Node, input: string | undefined): Found | null {
  const texts = new Texts(search);
  const images = new Images(search, texts, new Conditionings(search, texts));
  if (input === undefined) return images.at(start);
  const link = linkAt(start, input);
  return link ? images.of(link) : search.miss(`nothing is connected to ${input.slice(0, 60)}`);
}

const wordsOf = (found: Found | null): string | null => (found ? normalise(found.text).words : null);

/** Nodes that are named; a prompt may be put together of many. */
const MOST_NAMED = 4;

function placeOf(nodes: readonly Node[]): string {
  const named = nodes.slice(0, MOST_NAMED).map(({ id, class: name }) => `${id} (${name})`);
  return `workflow node${nodes.length > 1 ? 's' : ''} ${named.join(', ')}${nodes.length > MOST_NAMED ? ', …' : ''}`;
}

function described({ text, nodes, doubt }: Found): PromptFound {
  const { words, negative, reason, isOpen } = normalise(text);
  const original = words === text ? null : text;
  const from = words === null ? null : placeOf(nodes);
  const certain = doubt === null && !isOpen;
  return { prompt: words, negative, from, original, certain, reason: reason ?? doubt };
}
