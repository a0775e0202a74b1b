/**
 * What a graph does for the sake of eight-bit activations, taken back: a product gets one of its rows in two parts, in a
 * tensor `….rows`, and its results are put together again as `….whole`. With float activations the row itself is multiplied.
 */
import { bytesField, type Field, fieldsOf, textField, textOf, valuesOf } from './wire.ts';

const GRAPH = { node: 1, output: 12 };
const NODE = { input: 1, output: 2 };
const VALUE = { name: 1 };

const ROWS = '.rows';
const WHOLE = '.whole';

const namesIn = (message: number | Uint8Array, number: number): string[] =>
  valuesOf(fieldsOf(message as Uint8Array), number).map(textOf);
const inputsOf = ({ value }: Field): string[] => namesIn(value, NODE.input);
const outputsOf = ({ value }: Field): string[] => namesIn(value, NODE.output);

/** The same node with other ends: its first input, and its only output. */
function between({ value }: Field, input: string, output: string): Field {
  let inputs = 0;
  const parts = fieldsOf(value as Uint8Array).flatMap((field) => {
    if (field.number === NODE.output) return textField(NODE.output, output);
    if (field.number === NODE.input && inputs++ === 0) return textField(NODE.input, input);
    return [field.whole];
  });
  const message = Buffer.concat(parts);
  return { number: GRAPH.node, value: message, whole: Buffer.concat(bytesField(GRAPH.node, [message])) };
}

/** The nodes that an output of the graph needs, and all that is no node; nodes come after what they read. */
function needed(graph: Field[]): Field[] {
  const names = new Set(valuesOf(graph, GRAPH.output).flatMap((output) => namesIn(output, VALUE.name)));
  const kept = graph.toReversed().filter((field) => {
    if (field.number !== GRAPH.node) return true;
    if (!outputsOf(field).some((name) => names.has(name))) return false;
    for (const name of inputsOf(field)) names.add(name);
    return true;
  });
  return kept.reverse();
}

/** The fields of a graph without such parts; the same ones when it has none. */
export function whole(graph: Field[]): Field[] {
  const makers = new Map(
    graph
      .filter(({ number }) => number === GRAPH.node)
      .flatMap((node) => outputsOf(node).map((name) => [name, node] as const)),
  );
  const moved = new Map<Field, Field>();
  const ends = new Set<Field>();
  for (const product of makers.values()) {
    const [rows = ''] = inputsOf(product);
    const joined = makers.get(rows.slice(0, -ROWS.length) + WHOLE);
    const joining = makers.get(rows);
    if (!rows.endsWith(ROWS) || !joined || !joining) continue;
    // the parts stand between slices of the rows as they were
    const slice = makers.get(inputsOf(joining)[1]!)!;
    moved.set(product, between(product, inputsOf(slice)[0]!, outputsOf(joined)[0]!));
    ends.add(joined);
  }
  if (moved.size === 0) return graph;
  return needed(graph.filter((field) => !ends.has(field)).map((field) => moved.get(field) ?? field));
}
