/** Graphs in API format as found: read without believing anything of them. */

export interface Node {
  id: string;
  class: string;
  /** Without a prototype: names come from anybody. */
  inputs: Readonly<Record<string, unknown>>;
  /** Those of the inputs that are links. */
  links: ReadonlyMap<string, Link>;
}

/** A link in API format: id of the source and number of its output. */
export type Link = readonly [node: string, output: number];

/** Nodes by id; undefined for ids that lead nowhere or to something that is no node. */
export type Lookup = (id: string) => Node | undefined;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const asLink = (value: unknown): Link | undefined =>
  Array.isArray(value) &&
  value.length === 2 &&
  (typeof value[0] === 'string' || typeof value[0] === 'number') &&
  typeof value[1] === 'number'
    ? [String(value[0]), value[1]]
    : undefined;

export const linksIn = (node: Node): [name: string, link: Link][] => [...node.links];

export const linkAt = (node: Node, name: string): Link | undefined => node.links.get(name);

/** The links at those inputs, in that order. */
export const linksAt = (node: Node, names: readonly string[]): Link[] =>
  names.map((name) => linkAt(node, name)).filter((link) => link !== undefined);

export const titleOf = ({ id, class: name }: Node): string => `node ${id} (${name.slice(0, 60)})`;

/** Which half of the guidance is asked for. */
export type Side = 'positive' | 'negative';

/** Outputs of a node by what they are used for. */
export interface Uses {
  positive: number[];
  negative: number[];
}

/** The text is made when the graph runs, or chosen by rules that are not known: nothing else may be taken for it. */
export class Unknowable extends Error {}

/** A graph that is being searched. */
export interface Graph {
  lookup: Lookup;
  /** In the order of the graph. */
  nodes(): Node[];
  /** Counts a link that is followed, or work that costs as much as several. @throws Unknowable when there is no end to it */
  step(cost?: number): void;
  usesOf(id: string): Uses;
}

/** Links that are followed in one graph. Real ones need some hundred; malicious ones double their way. */
const MOST_STEPS = 6000;
/** Nodes that are listed; all of them can be looked up. */
const MOST_NODES = 4000;
/** Inputs of a node that are read. */
const MOST_INPUTS = 300;

export function openGraph(graph: unknown): Graph {
  const known = new Map<string, Node | undefined>();
  let steps = 0;
  let listed: Node[] | undefined;
  let uses: Map<string, Uses> | undefined;
  const lookup: Lookup = (id) => {
    if (!known.has(id)) known.set(id, readNode(graph, id));
    return known.get(id);
  };
  const nodes = (): Node[] => {
    listed ??= isObject(graph)
      ? idsOf(graph)
          .map(lookup)
          .filter((node) => node !== undefined)
      : [];
    return listed;
  };
  return {
    lookup,
    nodes,
    step(cost = 1) {
      steps += cost;
      if (steps > MOST_STEPS) throw new Unknowable('the workflow is too large to be followed');
    },
    usesOf(id) {
      uses ??= collectUses(nodes());
      return uses.get(id) ?? { positive: [], negative: [] };
    },
  };
}

const idsOf = (graph: object): string[] => firstKeys(graph, MOST_NODES);

/** Without listing them all: there may be a million. */
function firstKeys(object: object, most: number): string[] {
  const keys: string[] = [];
  for (const key in object) {
    if (keys.length >= most) break;
    if (Object.hasOwn(object, key)) keys.push(key);
  }
  return keys;
}

function readNode(graph: unknown, id: string): Node | undefined {
  if (!isObject(graph) || !Object.hasOwn(graph, id)) return undefined;
  const node = graph[id];
  if (!isObject(node) || !isObject(node.inputs)) return undefined;
  const inputs: Record<string, unknown> = Object.create(null);
  const links = new Map<string, Link>();
  for (const name of firstKeys(node.inputs, MOST_INPUTS)) {
    const value = node.inputs[name];
    inputs[name] = value;
    const link = asLink(value);
    if (link) links.set(name, link);
  }
  return { id, class: String(node.class_type ?? '').slice(0, 200), inputs, links };
}

/** By the name of an input. */
export const isNegative = (name: string): boolean => /^neg|negative|uncond|^cond2$/i.test(name);

function collectUses(nodes: Node[]): Map<string, Uses> {
  const uses = new Map<string, Uses>();
  const note = (side: Side, [id, output]: Link) => {
    const known = uses.get(id) ?? { positive: [], negative: [] };
    known[side].push(output);
    uses.set(id, known);
  };
  for (const [name, link] of nodes.flatMap(linksIn)) {
    if (isNegative(name)) note('negative', link);
    else if (/^pos|positive/i.test(name)) note('positive', link);
  }
  return uses;
}

/** Nodes made while a graph runs are not in it: `3.0.0.1` was made by `3`. */
export function nearestNode(lookup: Lookup, id: string): Node | undefined {
  for (let at = id, left = 20; left > 0; left--) {
    const node = lookup(at);
    const dot = Math.max(at.lastIndexOf('.'), at.lastIndexOf(':'));
    if (node || dot <= 0) return node;
    at = at.slice(0, dot);
  }
  return undefined;
}
