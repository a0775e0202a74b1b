/** What one search through a graph shares: the graph, what was met, and how much may still be done. */
import { type Graph, type Link, type Node, type Side, titleOf, Unknowable } from './graph.ts';

/** Text that was found. */
export interface Found {
  text: string;
  /** The nodes that hold it. */
  nodes: readonly Node[];
  /** Why it may be wrong or not all there is. */
  doubt: string | null;
}

/** What a node says of the way on: what it leads to, or the links to follow. */
export type Onward = { found: Found | null } | { links: readonly Link[] };

/** Nodes inside each other: nobody builds a join of a join of a join this deep. */
export const MOST_DEEP = 200;
/** Characters of a text that is put together. */
const MOST_TEXT = 200_000;

export interface Search extends Pick<Graph, 'lookup' | 'step' | 'usesOf'> {
  readonly side: Side;
  /** Where a way was lost that may have led to words, the last one last. */
  readonly misses: string[];
  /** What was found to be without text, the last one last. */
  readonly silences: string[];
  /** Notes where a way is lost. */
  miss(reason: string): null;
  /** Notes that a way was followed to its end, and that no words are there. */
  end(): null;
  /** Whether a way was followed to its end, and none was lost: then there are no words. */
  readonly isSilent: boolean;
}

export function createSearch({ lookup, step, usesOf }: Graph, side: Side): Search {
  const misses: string[] = [];
  const silences: string[] = [];
  let hasEnd = false;
  return {
    ...{ lookup, step, usesOf, side, misses, silences },
    miss(reason) {
      misses.push(reason);
      return null;
    },
    end() {
      hasEnd = true;
      return null;
    },
    get isSilent() {
      return hasEnd && misses.length === 0;
    },
  };
}

export const checked = (text: string): string => {
  if (text.length > MOST_TEXT) throw new Unknowable('the text grows without end');
  return text;
};

/** Several texts as one: each once, and none that a longer one holds, since encoders are mostly given the same. */
export function joined(all: readonly (Found | null)[], glue = ', '): Found | null {
  const found = all.filter((part) => part !== null);
  const texts = [...new Set(found.map(({ text }) => text.trim()))].filter((text) => text !== '');
  const kept = texts.filter((text) => !texts.some((other) => other !== text && other.includes(text)));
  if (kept.length === 0) return null;
  return {
    text: checked(kept.join(glue)),
    nodes: [...new Set(found.flatMap(({ nodes }) => nodes))],
    doubt: found.find(({ doubt }) => doubt !== null)?.doubt ?? null,
  };
}

export const notKnown = (node: Node, why: string): Unknowable => new Unknowable(`${titleOf(node)}: ${why}`);
