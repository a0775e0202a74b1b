/**
 * Graphs whose weights have four bits, for GPUs: the same weights in float16 or float32, in operators that every
 * execution provider has. Made when a session is opened, and never kept on a disk: they are the shipped weights.
 *
 * Numbers of fields: onnx.proto of ONNX 1.16. What `MatMulNBits` stores: onnxruntime's docs/ContribOperators.md.
 */
import { halfBits } from './half.ts';
import { whole } from './whole.ts';
import { bytesField, type Field, fieldsOf, intField, textField, textOf, valuesOf } from './wire.ts';

export type Precision = 'float16' | 'float32';

/** TensorProto.DataType. */
const TYPE = { float32: 1, uint8: 2, float16: 10 } as const;

const MODEL_GRAPH = 7;
const GRAPH = { node: 1, initializer: 5 };
const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5 };
const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 };

/** A matrix [K, N] as `MatMulNBits` keeps it: for each of N rows, blocks of K that share a step, two codes a byte. */
interface Packed {
  inputs: number;
  outputs: number;
  block: number;
  codes: Uint8Array;
  steps: Float32Array;
}

/** What stands for 0. */
const ZERO = 8;
const CODES = 16;
/** Neighbouring outputs that are unpacked together: a line of a cache. */
const TILE = 32;

/**
 * The model with plain products in the place of four-bit ones; undefined when it has none. Inputs, outputs and all other
 * nodes stay as they are, but those that eight-bit activations alone need; in float16 a product's input is cast to it, and
 * its result back.
 *
 * @throws Error for what is no ONNX model
 */
export function widened(model: Uint8Array, precision: Precision): Uint8Array | undefined {
  const top = fieldsOf(model);
  const graph = whole(fieldsOf(valuesOf(top, MODEL_GRAPH)[0] as Uint8Array));
  const stored = initializersOf(graph);
  const products = new Map<Field, Packed>();
  for (const field of graph) {
    const packed = field.number === GRAPH.node ? packedIn(field.value as Uint8Array, stored) : undefined;
    if (packed) products.set(field, packed);
  }
  if (products.size === 0) return undefined;
  const inner = rewritten(graph, products, precision);
  const parts = top.flatMap((field) =>
    field.number === MODEL_GRAPH ? bytesField(MODEL_GRAPH, inner) : [field.whole],
  );
  return Buffer.concat(parts);
}

type Stored = Map<string, Field[]>;

const initializersOf = (graph: Field[]): Stored =>
  new Map(
    valuesOf(graph, GRAPH.initializer)
      .map((tensor) => fieldsOf(tensor as Uint8Array))
      .map((tensor) => [textOf(valuesOf(tensor, TENSOR.name)[0]!), tensor]),
  );

/** The matrix of a node, if that is a four-bit product of the plain kind: symmetric, all of it stored in the file. */
function packedIn(message: Uint8Array, stored: Stored): Packed | undefined {
  const node = fieldsOf(message);
  if (textOf(valuesOf(node, NODE.operator)[0] ?? new Uint8Array()) !== 'MatMulNBits') return undefined;
  const names = valuesOf(node, NODE.input).map(textOf);
  const attribute = attributesOf(node);
  const codes = rawOf(stored.get(names[1]!), TYPE.uint8);
  const steps = rawOf(stored.get(names[2]!), TYPE.float32);
  const [inputs, outputs, block] = [attribute('K'), attribute('N'), attribute('block_size')];
  if (!codes || !steps || names.length !== 3 || attribute('bits') !== 4) return undefined;
  if (!inputs || !outputs || !block || inputs % block !== 0) return undefined;
  if (codes.length !== (inputs * outputs) / 2 || steps.length !== (4 * inputs * outputs) / block)
    return undefined;
  return { inputs, outputs, block, codes, steps: new Float32Array(Uint8Array.from(steps).buffer) };
}

function attributesOf(node: Field[]): (name: string) => number | undefined {
  const all = valuesOf(node, NODE.attribute).map((attribute) => fieldsOf(attribute as Uint8Array));
  const values = new Map(all.map((one) => [textOf(valuesOf(one, 1)[0]!), valuesOf(one, 3)[0]]));
  return (name) => values.get(name) as number | undefined;
}

function rawOf(tensor: Field[] | undefined, type: number): Uint8Array | undefined {
  if (!tensor || valuesOf(tensor, TENSOR.type)[0] !== type) return undefined;
  return valuesOf(tensor, TENSOR.raw)[0] as Uint8Array | undefined;
}

/** The parts of the graph with its products replaced, and their codes and steps left out. */
function rewritten(graph: Field[], products: Map<Field, Packed>, precision: Precision): Uint8Array[] {
  const unused = new Set([...products.keys()].flatMap(({ value }) => inputsOf(value as Uint8Array).slice(1)));
  for (const field of graph)
    if (field.number === GRAPH.node && !products.has(field))
      for (const name of inputsOf(field.value as Uint8Array)) unused.delete(name);
  return graph.flatMap((field) => {
    const packed = products.get(field);
    if (packed) return plainProduct(field, packed, precision);
    const isUnused = field.number === GRAPH.initializer && unused.has(nameOf(field.value as Uint8Array));
    return isUnused ? [] : [field.whole];
  });
}

const inputsOf = (node: Uint8Array): string[] => valuesOf(fieldsOf(node), NODE.input).map(textOf);
const nameOf = (tensor: Uint8Array): string => textOf(valuesOf(fieldsOf(tensor), TENSOR.name)[0]!);

/** The nodes in the place of one, and their matrix. */
function plainProduct({ value }: Field, packed: Packed, precision: Precision): Uint8Array[] {
  const fields = fieldsOf(value as Uint8Array);
  const input = textOf(valuesOf(fields, NODE.input)[0]!);
  const output = textOf(valuesOf(fields, NODE.output)[0]!);
  const matrix = `${output}/matrix`;
  const stored = initializer(matrix, packed, precision);
  if (precision === 'float32') return [...node('MatMul', [input, matrix], output), ...stored];
  const [from, to] = [`${output}/from`, `${output}/to`];
  return [
    ...node('Cast', [input], from, TYPE.float16),
    ...node('MatMul', [from, matrix], to),
    ...node('Cast', [to], output, TYPE.float32),
    ...stored,
  ];
}

function node(operator: string, inputs: string[], output: string, to?: number): Uint8Array[] {
  const parts = [
    ...inputs.flatMap((input) => textField(NODE.input, input)),
    ...textField(NODE.output, output),
    ...textField(NODE.name, `${output}/${operator}`),
    ...textField(NODE.operator, operator),
  ];
  // AttributeProto: name, i, type INT
  const cast = [...textField(1, 'to'), intField(3, to ?? 0), intField(20, 2)];
  return bytesField(GRAPH.node, to === undefined ? parts : [...parts, ...bytesField(NODE.attribute, cast)]);
}

function initializer(name: string, packed: Packed, precision: Precision): Uint8Array[] {
  const values =
    precision === 'float16'
      ? unpacked(packed, Uint16Array, halfBits)
      : unpacked(packed, Float32Array, (v) => v);
  return bytesField(GRAPH.initializer, [
    intField(TENSOR.dims, packed.inputs),
    intField(TENSOR.dims, packed.outputs),
    intField(TENSOR.type, TYPE[precision]),
    ...textField(TENSOR.name, name),
    ...bytesField(TENSOR.raw, [new Uint8Array(values.buffer)]),
  ]);
}

/** Row by row [K, N], numbers as `stored` makes them. */
function unpacked<Numbers extends Uint16Array | Float32Array>(
  { inputs, outputs, block, codes, steps }: Packed,
  Values: new (length: number) => Numbers,
  stored: (value: number) => number,
): Numbers {
  const values = new Values(inputs * outputs);
  const table = new Values(TILE * CODES);
  const [rowBytes, rowBlocks] = [inputs / 2, inputs / block];
  for (let first = 0; first < outputs; first += TILE) {
    const count = Math.min(TILE, outputs - first);
    for (let at = 0; at < rowBlocks; at++) {
      for (let i = 0; i < count * CODES; i++) {
        const step = steps[(first + Math.floor(i / CODES)) * rowBlocks + at]!;
        table[i] = stored(step * ((i % CODES) - ZERO));
      }
      for (let pair = (at * block) / 2; pair < ((at + 1) * block) / 2; pair++) {
        const [low, high] = [2 * pair * outputs + first, (2 * pair + 1) * outputs + first];
        for (let i = 0; i < count; i++) {
          const code = codes[(first + i) * rowBytes + pair]!;
          values[low + i] = table[i * CODES + (code & 15)]!;
          values[high + i] = table[i * CODES + (code >>> 4)]!;
        }
      }
    }
  }
  return values;
}
