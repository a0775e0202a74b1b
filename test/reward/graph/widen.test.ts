/** Four-bit products as float16 and float32 ones: the same model, of the same weights. */
import { describe, expect, it } from 'vitest';
import { halfBits } from '../../../src/reward/graph/onnx/half.ts';
import { TRIAL_SIDE, trialModel } from '../../../src/reward/graph/onnx/trial-graph.ts';
import { widened } from '../../../src/reward/graph/onnx/widen.ts';
import { openOnnxSession } from '../../../src/reward/graph/session.ts';
import { brightnessGraph } from '../../support/models.ts';
import { type Graph, onnxModel } from '../../support/onnx.ts';

const [rows, side] = [8, TRIAL_SIDE];

async function outputOf(model: Uint8Array, dims = [rows, side]): Promise<Float32Array> {
  const session = await openOnnxSession({
    ...{ scorer: 'x', backend: 'onnx', graph: model, gpuGraph: model, halfGraph: model },
    ...{ providers: ['cpu'], threads: 1 },
  });
  const length = dims.reduce((product, size) => product * size);
  const data = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const { y } = await session.run({ x: { dtype: 'float32', dims, data } });
  await session.release();
  return y!.data as Float32Array;
}

const [tokens, inputs, outputs] = [4, 32, 16];
const rowsFrom = (from: string, start: string, stop: string, to: string) => ({
  op: 'Slice',
  ...{ inputs: [from, start, stop, 'one'], outputs: [to] },
});
/** The first of four rows comes in two halves, of which the second stands in the place of the last one. */
const inParts: Graph = {
  inputs: { x: ['float32', ['n', tokens, inputs]] },
  outputs: { y: ['float32', ['n', tokens, outputs]] },
  constants: {
    codes: {
      dims: [outputs, 1, inputs / 2],
      bytes: Array.from({ length: (outputs * inputs) / 2 }, (_, i) => (i * 37) & 0xff),
    },
    steps: { dims: [outputs], floats: Array.from({ length: outputs }, (_, i) => 0.01 * (i + 1)) },
    half: { dims: [], floats: [0.5] },
    ...Object.fromEntries(
      Object.entries({ zero: 0, one: 1, last: tokens - 1, end: tokens }).map(([name, value]) => [
        name,
        { dims: [1], ints: [value] },
      ]),
    ),
  },
  nodes: [
    rowsFrom('x', 'zero', 'one', 'first'),
    { op: 'Mul', inputs: ['first', 'half'], outputs: ['part'] },
    rowsFrom('x', 'one', 'last', 'others'),
    { op: 'Concat', inputs: ['part', 'others', 'part'], outputs: ['p.rows'], attributes: { axis: 1 } },
    {
      ...{ op: 'MatMulNBits', domain: 'com.microsoft', inputs: ['p.rows', 'codes', 'steps'] },
      ...{ outputs: ['found'], attributes: { K: inputs, N: outputs, bits: 4, block_size: inputs } },
    },
    rowsFrom('found', 'zero', 'one', 'left'),
    rowsFrom('found', 'last', 'end', 'right'),
    { op: 'Add', inputs: ['left', 'right'], outputs: ['both'] },
    rowsFrom('found', 'one', 'end', 'rest'),
    { op: 'Concat', inputs: ['both', 'rest'], outputs: ['p.whole'], attributes: { axis: 1 } },
    { op: 'Identity', inputs: ['p.whole'], outputs: ['y'] },
  ],
};

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('a graph with four-bit products', () => {
  it('computes the same with plain ones', async () => {
    const packed = trialModel();
    const expected = await outputOf(packed);
    expect(largestDifference(expected, new Float32Array(expected.length))).toBeGreaterThan(0.5);
    const [full, half] = [widened(packed, 'float32')!, widened(packed, 'float16')!];
    expect(full.length - half.length).toBeGreaterThan(side * side * 1.9);
    expect(largestDifference(await outputOf(full), expected)).toBeLessThan(1e-4);
    expect(largestDifference(await outputOf(half), expected)).toBeLessThan(5e-3);
  });

  it.each(['float32', 'float16'] as const)(
    'multiplies in %s whole what was in parts for eight bits',
    async (precision) => {
      const [packed, dims] = [onnxModel(inParts), [2, tokens, inputs]];
      const full = widened(packed, precision)!;
      const [expected, found] = [await outputOf(packed, dims), await outputOf(full, dims)];
      const isSeen = (_: number, i: number) => Math.floor(i / outputs) % tokens < tokens - 1;
      expect(largestDifference(expected.filter(isSeen), found.filter(isSeen))).toBeLessThan(5e-3);
      expect(largestDifference(expected, new Float32Array(expected.length))).toBeGreaterThan(0.1);
      for (const name of ['p.rows', 'part', 'both', 'rest'])
        expect(Buffer.from(full).includes(name)).toBe(false);
    },
  );

  it('is told from one without, and from one that is cut short', () => {
    expect(widened(onnxModel(brightnessGraph), 'float16')).toBeUndefined();
    expect(() => widened(trialModel().subarray(0, 1000), 'float16')).toThrow('cut short');
  });
});

it.each([
  [0, 0],
  [1, 0x3c00],
  [-2.5, 0xc100],
  [65_504, 0x7bff],
  [65_536, 0x7c00],
  [1 + 2 ** -11, 0x3c00], // a tie goes to the even one
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0],
  [2 ** -14 - 2 ** -26, 0x0400],
])('%s is %i in float16', (value, bits) => expect(halfBits(value)).toBe(bits));
