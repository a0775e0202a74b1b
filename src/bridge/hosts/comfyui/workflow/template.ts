/** A workflow in API format as a template: which inputs hold seeds and steps, and how values are set. */
import { fail } from '../../../../errors/error.ts';
import { nearest } from '../../../../errors/nearest.ts';
import type { InputValue, Template, Workflow, WorkflowInput } from '../../../../host.ts';
import { fewOf } from '../../../../lib/words.ts';
import type { Graph, GraphNode } from './workflow.ts';
import { readWorkflow } from './workflow.ts';

const SEED = /(^|_)seed$/i;
/** Inputs of nodes that hold nothing but a number: primitives, seed nodes. */
const NUMBERS = ['seed', 'noise_seed', 'value', 'int', 'number'];
/** Where the same primitive is asked for by a link. */
const VALUES = ['value', 'text', 'string', 'int', 'float', 'number', 'seed', 'boolean'];
const MOST_LINKS = 20;

type Place = readonly [node: string, input: string];

const isNumber = (value: unknown): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

const isLink = (value: unknown): value is [string | number, number] =>
  Array.isArray(value) && value.length === 2;

const isLiteral = (value: unknown): value is InputValue =>
  isNumber(value) || typeof value === 'string' || typeof value === 'boolean';

const nodeOf = (graph: Graph, id: string): GraphNode | undefined =>
  Object.hasOwn(graph, id) ? graph[id] : undefined;

function titleOf(node: GraphNode): string {
  const { title } = (node._meta ?? {}) as { title?: unknown };
  return typeof title === 'string' && title !== '' ? title : node.class_type;
}

/** Where the value of an input stands: there, or in the node that it is linked to. */
function source(graph: Graph, [id, input]: Place, names: readonly string[]): Place | undefined {
  let place: Place | undefined = [id, input];
  for (let links = 0; place && links < MOST_LINKS; links++) {
    const inputs: GraphNode['inputs'] | undefined = nodeOf(graph, place[0])?.inputs;
    const value = inputs?.[place[1]];
    if (!isLink(value)) return isLiteral(value) ? place : undefined;
    const next: string = String(value[0]);
    const found = names.find((name) => Object.hasOwn(nodeOf(graph, next)?.inputs ?? {}, name));
    place = found === undefined ? undefined : [next, found];
  }
  return undefined;
}

/** Inputs that match, each place once, in the order of the graph. */
function inputsLike(graph: Graph, pattern: RegExp): Place[] {
  const places = Object.entries(graph).flatMap(([id, { inputs }]) =>
    Object.keys(inputs)
      .filter((name) => pattern.test(name))
      .map((name) => source(graph, [id, name], NUMBERS))
      .filter((place) => place !== undefined),
  );
  const numbers = places.filter(([id, name]) => isNumber(graph[id]!.inputs[name]));
  return [...new Map(numbers.map((place) => [place.join('.'), place])).values()];
}

/** Inputs with a text of their own, names of files and choices among them. */
const textsIn = (graph: Graph): Place[] =>
  Object.entries(graph).flatMap(([id, { inputs }]) =>
    Object.keys(inputs)
      .filter((name) => typeof inputs[name] === 'string')
      .map((name): Place => [id, name]),
  );

/**
 * Reads a workflow file.
 *
 * @param file what errors call it
 * @throws WORKFLOW_INVALID, WORKFLOW_UI_FORMAT
 */
export function readTemplate(text: string, file: string): Template {
  const graph = readWorkflow(text, file) as Graph;
  const described = ([id, name]: Place): WorkflowInput => ({
    name: `${id}.${name}`,
    node: titleOf(graph[id]!),
    value: graph[id]!.inputs[name] as InputValue,
  });

  const placeOf = (name: string): Place => {
    const dot = name.lastIndexOf('.');
    const [id, input] = [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)];
    const node = nodeOf(graph, id);
    if (!node || !Object.hasOwn(node.inputs, input)) throw unknown(graph, file, name, id, node);
    const place = source(graph, [id, input], VALUES);
    const link = node.inputs[input];
    if (!place) throw fail('INPUT_LINKED', { name, source: file, node: isLink(link) ? String(link[0]) : id });
    return place;
  };

  return {
    seeds: inputsLike(graph, SEED).map(described),
    steps: inputsLike(graph, /^steps$/).map(described),
    texts: textsIn(graph).map(described),
    input: (name) => described(placeOf(name)),
    with(values) {
      const made: Record<string, GraphNode> = { ...graph };
      for (const [name, value] of Object.entries(values)) {
        const [id, input] = placeOf(name);
        made[id] = { ...made[id]!, inputs: { ...made[id]!.inputs, [input]: value } };
      }
      return made as Workflow;
    },
  };
}

function unknown(graph: Graph, file: string, name: string, id: string, node: GraphNode | undefined) {
  const inputs = Object.entries(graph).flatMap(([key, { inputs }]) =>
    Object.keys(inputs).map((i) => `${key}.${i}`),
  );
  const near = nearest(name, inputs);
  const known = node
    ? `node ${id} (${node.class_type}) has ${fewOf(Object.keys(node.inputs), 12)}`
    : `its nodes are ${fewOf(Object.keys(graph), 12)}`;
  return fail('INPUT_UNKNOWN', { source: file, name, hint: near ? ` (did you mean ${near}?)` : '', known });
}
