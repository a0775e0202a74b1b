/** What one search through a graph shares: the graph, what was met, and how much may still be done. */
import { linksIn, type Lookup, type Link, type Node, titleOf } from './graph.ts';

/** Which half of the guidance is asked for. */
export type Side = 'positive' | 'negative';

/** Text that was found. */
export interface Found {
  text: string;
  /** The nodes that hold it. */
  nodes: readonly Node[];
  /** Why it may be wrong or not all there is. */
  doubt: string | null;
}

/** What a node says of the way on: what it leads to, or the links to follow, of which the first that leads to text counts. */
export type Onward = { found: Found | null } | { links: readonly Link[] };

/** The text is made when the graph runs, or chosen by rules that are not known: nothing else may be taken for it. */
export class Unknowable extends Error {}

/** Links that are followed in one search. Real graphs need some hundred; malicious ones double their way. */
const MOST_STEPS = 60_000;
/** Nodes inside each other: nobody builds a join of a join of a join this deep. */
export const MOST_DEEP = 200;
/** Characters of a text that is put together. */
const MOST_TEXT = 200_000;

export interface Search {
  readonly lookup: Lookup;
  readonly side: Side;
  /** Why nothing was found so far, the last thing met last. */
  readonly misses: string[];
  /** Notes why a way leads to nothing. */
  miss(reason: string): null;
  /** @throws Unknowable when there is no end to it */
  step(): void;
  /** Outputs of a node that are used as the positive side, and as the negative side. */
  usesOf(id: string): Uses;
}

export interface Uses {
  positive: number[];
  negative: number[];
}

export function createSearch(lookup: Lookup, nodes: () => Iterable<Node>, side: Side): Search {
  let steps = 0;
  let uses: Map<string, Uses> | undefined;
  const misses: string[] = [];
  return {
    lookup,
    side,
    misses,
    miss(reason) {
      misses.push(reason);
      return null;
    },
    step() {
      if (++steps > MOST_STEPS) throw new Unknowable('the workflow is too large to be followed');
    },
    usesOf(id) {
      uses ??= collectUses(nodes());
      return uses.get(id) ?? { positive: [], negative: [] };
    },
  };
}

function collectUses(nodes: Iterable<Node>): Map<string, Uses> {
  const uses = new Map<string, Uses>();
  const note = (side: Side, [id, output]: Link) => {
    const known = uses.get(id) ?? { positive: [], negative: [] };
    known[side].push(output);
    uses.set(id, known);
  };
  for (const node of nodes)
    for (const [name, link] of linksIn(node)) {
      if (isNegative(name)) note('negative', link);
      else if (/^pos|positive/i.test(name)) note('positive', link);
    }
  return uses;
}

/** By the name of an input. */
export const isNegative = (name: string): boolean => /^neg|negative|uncond|^cond2$/i.test(name);

export const checked = (text: string): string => {
  if (text.length > MOST_TEXT) throw new Unknowable('the text grows without end');
  return text;
};

/** Several texts as one: each once, and none that a longer one holds, since encoders are mostly given the same. */
export function joined(all: readonly (Found | null)[], glue = ', '): Found | null {
  const found = all.filter((part) => part !== null);
  const texts = [...new Set(found.map(({ text }) => text.trim()))];
  const kept = texts.filter((text) => !texts.some((other) => other !== text && other.includes(text)));
  if (kept.length === 0) return null;
  return {
    text: checked(kept.join(glue)),
    nodes: [...new Set(found.flatMap(({ nodes }) => nodes))],
    doubt: found.find(({ doubt }) => doubt !== null)?.doubt ?? null,
  };
}

export const notKnown = (node: Node, why: string): Unknowable => new Unknowable(`${titleOf(node)}: ${why}`);
