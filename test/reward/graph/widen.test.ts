/** Four-bit products as float16 and float32 ones: the same model, of the same weights. */
import { describe, expect, it } from 'vitest';
import { halfBits } from '../../../src/reward/graph/onnx/half.ts';
import { TRIAL_SIDE, trialModel } from '../../../src/reward/graph/onnx/trial-graph.ts';
import { widened } from '../../../src/reward/graph/onnx/widen.ts';
import { openOnnxSession } from '../../../src/reward/graph/session.ts';
import { brightnessGraph } from '../../support/models.ts';
import { onnxModel } from '../../support/onnx.ts';

const [rows, side] = [8, TRIAL_SIDE];

async function outputOf(model: Uint8Array): Promise<Float32Array> {
  const session = await openOnnxSession({
    ...{ scorer: 'x', backend: 'onnx', graph: model, gpuGraph: model, halfGraph: model },
    ...{ providers: ['cpu'], threads: 1 },
  });
  const data = Float32Array.from({ length: rows * side }, (_, i) => Math.sin(i));
  const { y } = await session.run({ x: { dtype: 'float32', dims: [rows, side], data } });
  await session.release();
  return y!.data as Float32Array;
}

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
