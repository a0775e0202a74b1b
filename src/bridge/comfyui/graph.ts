/** Graphs in API format as found: read without believing anything of them. */

export interface Node {
  class: string;
  inputs: Record<string, unknown>;
}

/** A link in API format: id of the source and number of its output. */
export type Link = readonly [node: string, output: number];

/** Nodes by id; undefined for ids that lead nowhere or to something that is no node. */
export type Lookup = (id: string) => Node | undefined;

export const asLink = (value: unknown): Link | undefined =>
  Array.isArray(value) && value.length === 2 && typeof value[1] === 'number'
    ? [String(value[0]), value[1]]
    : undefined;

export const linksIn = (node: Node): [name: string, link: Link][] =>
  Object.entries(node.inputs).flatMap(([name, value]) => {
    const link = asLink(value);
    return link ? [[name, link] as [string, Link]] : [];
  });

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function lookupIn(graph: unknown): Lookup {
  return (id) => {
    if (!isObject(graph) || !Object.hasOwn(graph, id)) return undefined;
    const node = graph[id];
    if (!isObject(node) || !isObject(node.inputs)) return undefined;
    return { class: String(node.class_type ?? ''), inputs: node.inputs };
  };
}
