/** Graphs in API format as found: read without believing anything of them. */

export interface Node {
  id: string;
  class: string;
  inputs: Readonly<Record<string, unknown>>;
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

export const linksIn = ({ inputs }: Node): [name: string, link: Link][] =>
  Object.entries(inputs).flatMap(([name, value]) => {
    const link = asLink(value);
    return link ? [[name, link] as [string, Link]] : [];
  });

/** Own inputs alone: names come from anybody. */
export const inputOf = ({ inputs }: Node, name: string): unknown =>
  Object.hasOwn(inputs, name) ? inputs[name] : undefined;

export const linkAt = (node: Node, name: string): Link | undefined => asLink(inputOf(node, name));

/** The links at those inputs, in that order. */
export const linksAt = (node: Node, names: readonly string[]): Link[] =>
  names.map((name) => linkAt(node, name)).filter((link) => link !== undefined);

export const titleOf = ({ id, class: name }: Node): string => `node ${id} (${name.slice(0, 60)})`;

export function lookupIn(graph: unknown): Lookup {
  return (id) => {
    if (!isObject(graph) || !Object.hasOwn(graph, id)) return undefined;
    const node = graph[id];
    if (!isObject(node) || !isObject(node.inputs)) return undefined;
    return { id, class: String(node.class_type ?? '').slice(0, 200), inputs: node.inputs };
  };
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
