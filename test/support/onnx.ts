/** Writes small ONNX files: just enough of the protobuf encoding (onnx.proto, field numbers below) for test graphs. */

type Field = Uint8Array;

const varint = (value: number | bigint): number[] => {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return out;
};

const int = (field: number, value: number | bigint): Field =>
  Uint8Array.from([...varint(field << 3), ...varint(value)]);
const bytes = (field: number, value: Uint8Array | string): Field => {
  const data = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(data.length)]), data]);
};
const message = (field: number, ...parts: Field[]): Field => bytes(field, Buffer.concat(parts));
const float = (field: number, value: number): Field => {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return Buffer.concat([Uint8Array.from(varint((field << 3) | 5)), buffer]);
};

export type Dim = number | string;
export type ElementType = 'float32' | 'uint8' | 'int32' | 'int64';
const ELEMENT: Record<ElementType, number> = { float32: 1, uint8: 2, int32: 6, int64: 7 };

export type Attribute = number | number[] | { float: number };

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  /** Of the operator; ONNX's own when absent. */
  domain?: string;
  attributes?: Record<string, Attribute>;
}

/** One of the lists is there, or the name of a file with float32 numbers; bytes are uint8. */
interface Constant {
  dims: number[];
  outside?: string;
  floats?: number[];
  ints?: number[];
  bytes?: number[];
}

export interface Graph {
  inputs: Record<string, [ElementType, Dim[]]>;
  outputs: Record<string, [ElementType, Dim[]]>;
  constants?: Record<string, Constant>;
  nodes: Node[];
}

function attribute(name: string, value: Attribute): Field {
  if (typeof value === 'number') return message(5, bytes(1, name), int(3, value), int(20, 2));
  if (Array.isArray(value)) return message(5, bytes(1, name), ...value.map((v) => int(8, v)), int(20, 7));
  return message(5, bytes(1, name), float(2, value.float), int(20, 1));
}

const node = (n: Node): Field =>
  message(
    1,
    ...n.inputs.map((i) => bytes(1, i)),
    ...n.outputs.map((o) => bytes(2, o)),
    bytes(4, n.op),
    ...(n.domain === undefined ? [] : [bytes(7, n.domain)]),
    ...Object.entries(n.attributes ?? {}).map(([name, value]) => attribute(name, value)),
  );

function rawOf({ floats, ints = [], bytes: small }: Constant): [ElementType, Uint8Array] {
  if (floats) return ['float32', new Uint8Array(Float32Array.from(floats).buffer)];
  if (small) return ['uint8', Uint8Array.from(small)];
  return ['int64', new Uint8Array(BigInt64Array.from(ints.map(BigInt)).buffer)];
}

const pair = (field: number, key: string, value: string): Field =>
  message(field, bytes(1, key), bytes(2, value));

function constant(name: string, c: Constant): Field {
  const dims = c.dims.map((d) => int(1, d));
  if (c.outside)
    return message(
      5,
      ...dims,
      int(2, ELEMENT.float32),
      bytes(8, name),
      pair(13, 'location', c.outside),
      int(14, 1),
    );
  const [type, raw] = rawOf(c);
  return message(5, ...dims, int(2, ELEMENT[type]), bytes(8, name), bytes(9, raw));
}

function valueInfo(field: number, name: string, [type, dims]: [ElementType, Dim[]]): Field {
  const shape = message(2, ...dims.map((d) => message(1, typeof d === 'number' ? int(1, d) : bytes(2, d))));
  return message(field, bytes(1, name), message(2, message(1, int(1, ELEMENT[type]), shape)));
}

/** What a constant that is outside finds there. */
export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** The bytes of an ONNX model (IR 8, opset 17) with this graph. */
export function onnxModel(graph: Graph): Uint8Array {
  const body = message(
    7,
    ...graph.nodes.map(node),
    bytes(2, 'test'),
    ...Object.entries(graph.constants ?? {}).map(([name, c]) => constant(name, c)),
    ...Object.entries(graph.inputs).map(([name, info]) => valueInfo(11, name, info)),
    ...Object.entries(graph.outputs).map(([name, info]) => valueInfo(12, name, info)),
  );
  const contributed = message(8, bytes(1, 'com.microsoft'), int(2, 1));
  return Buffer.concat([int(1, 8), bytes(2, 'assay-test'), body, message(8, int(2, 17)), contributed]);
}
