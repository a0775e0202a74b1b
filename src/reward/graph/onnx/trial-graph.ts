/** The graph that execution providers are tried with: one four-bit product, as the scorers that ship have dozens. */
import { bytesField, intField, textField } from './wire.ts';

/** Both sides of the matrix. */
export const TRIAL_SIDE = 768;

const BLOCK = 128;
const STEP = 0.01;
/** TensorProto.DataType; what stands for 0 in four bits, twice. */
const FLOAT = 1;
const UINT8 = 2;

/** An ONNX model: x float32 [n, TRIAL_SIDE] to y of the same shape. */
export function trialModel(): Uint8Array {
  const side = TRIAL_SIDE;
  const blocks = side / BLOCK;
  const codes = Uint8Array.from({ length: (side * side) / 2 }, (_, i) => (i * 167 + (i >> 7)) & 0xff);
  const steps = new Uint8Array(Float32Array.from({ length: side * blocks }, () => STEP).buffer);
  const graph = [
    ...product(side),
    ...textField(2, 'trial'),
    ...initializer('codes', [side, blocks, BLOCK / 2], UINT8, codes),
    ...initializer('steps', [side * blocks], FLOAT, steps),
    ...bytesField(11, shape('x')),
    ...bytesField(12, shape('y')),
  ];
  const opset = [
    ...bytesField(8, [...textField(1, ''), intField(2, 17)]),
    ...bytesField(8, [...textField(1, 'com.microsoft'), intField(2, 1)]),
  ];
  return Buffer.concat([intField(1, 8), ...bytesField(7, graph), ...opset]);
}

function product(side: number): Uint8Array[] {
  const attributes = { K: side, N: side, bits: 4, block_size: BLOCK };
  return bytesField(1, [
    ...['x', 'codes', 'steps'].flatMap((input) => textField(1, input)),
    ...textField(2, 'y'),
    ...textField(4, 'MatMulNBits'),
    ...Object.entries(attributes).flatMap(([name, value]) =>
      bytesField(5, [...textField(1, name), intField(3, value), intField(20, 2)]),
    ),
    ...textField(7, 'com.microsoft'),
  ]);
}

const initializer = (name: string, dims: number[], type: number, raw: Uint8Array): Uint8Array[] =>
  bytesField(5, [
    ...dims.map((dim) => intField(1, dim)),
    intField(2, type),
    ...textField(8, name),
    ...bytesField(9, [raw]),
  ]);

function shape(name: string): Uint8Array[] {
  const dims = [...bytesField(1, textField(2, 'n')), ...bytesField(1, [intField(1, TRIAL_SIDE)])];
  const tensor = [intField(1, FLOAT), ...bytesField(2, dims)];
  return [...textField(1, name), ...bytesField(2, bytesField(1, tensor))];
}
