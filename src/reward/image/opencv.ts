/** 5 prepare: OpenCV's cubic resize of 8-bit images, reproduced. Pure. */
import type { Pixels } from '../../types/image.ts';
import type { Box, Size } from './resample.ts';

const TAPS = 4;
/** Weights are rounded to so many parts of 1. */
const PARTS = 1 << 11;

/** For each output of one axis, the four inputs that it is summed from, and their weights in PARTS. */
interface Taps {
  inputs: Int32Array;
  weights: Int32Array;
}

/** The cubic convolution with a = -0.75 for a place `x` of 0..1 between the middle two inputs, in float32 arithmetic. */
function weigh(x: number): number[] {
  const f = Math.fround;
  const outer = (d: number) => f(f(f(f(f(f(-0.75 * d) + 3.75) * d) - 6) * d) + 3);
  const inner = (d: number) => f(f(f(f(f(1.25 * d) - 2.25) * d) * d) + 1);
  const found = [outer(f(x + 1)), inner(x), inner(f(1 - x))];
  return [...found, f(f(f(1 - found[0]!) - found[1]!) - found[2]!)];
}

/** Halves go to the even neighbour. */
function round(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The taps of `count` outputs from `from` on when `inSize` pixels become `outSize`. What lies outside is the edge. */
function tapsOf(inSize: number, outSize: number, from: number, count: number): Taps {
  const step = 1 / (outSize / inSize);
  const taps: Taps = { inputs: new Int32Array(count * TAPS), weights: new Int32Array(count * TAPS) };
  for (let i = 0; i < count; i++) {
    const place = Math.fround((from + i + 0.5) * step - 0.5);
    const low = Math.floor(place);
    const weights = weigh(Math.fround(place - low));
    for (let tap = 0; tap < TAPS; tap++) {
      taps.inputs[i * TAPS + tap] = Math.min(inSize - 1, Math.max(0, low - 1 + tap));
      taps.weights[i * TAPS + tap] = round(weights[tap]! * PARTS);
    }
  }
  return taps;
}

/** One row of the image, that begins at `from`, with its columns summed, in PARTS. */
function sumColumns(data: Uint8Array, from: number, { inputs, weights }: Taps): Int32Array {
  const sums = new Int32Array((inputs.length / TAPS) * 3);
  for (let at = 0, out = 0; at < inputs.length; at += TAPS) {
    let a = 0;
    let b = 0;
    let c = 0;
    for (let tap = at; tap < at + TAPS; tap++) {
      const pixel = from + inputs[tap]! * 3;
      const weight = weights[tap]!;
      a = (a + Math.imul(data[pixel]!, weight)) | 0;
      b = (b + Math.imul(data[pixel + 1]!, weight)) | 0;
      c = (c + Math.imul(data[pixel + 2]!, weight)) | 0;
    }
    sums[out++] = a;
    sums[out++] = b;
    sums[out++] = c;
  }
  return sums;
}

/** Sums four rows by their weights into one; the clamped array rounds halves to even. */
function sumRows(rows: Int32Array[], weights: Float32Array, result: Uint8ClampedArray): void {
  const f = Math.fround;
  const [a, b, c, d] = rows as [Int32Array, Int32Array, Int32Array, Int32Array];
  const [p, q, r, s] = weights as unknown as [number, number, number, number];
  for (let i = 0; i < result.length; i++)
    result[i] = f(f(a[i]! * p) + f(f(b[i]! * q) + f(f(c[i]! * r) + f(d[i]! * s))));
}

/**
 * `resize(…, interpolation=INTER_CUBIC)` of OpenCV, of 8-bit RGB to `to`, or a part of the result: bytes
 * `[height, width, 3]`. Shrinking skips pixels.
 *
 * Equal bit for bit to OpenCV's own code where it works on whole vectors (a row of 3 · width a multiple of 64):
 * columns in whole numbers, rows in float32 from the last tap to the first, halves to even. Where OpenCV was built
 * with Intel's IPP and uses it, some values in a hundred are off by one grey level.
 */
export function opencvResize(pixels: Pixels, to: Size, box: Box = { x: 0, y: 0, ...to }): Uint8Array {
  const { data, width, height } = pixels;
  const columns = tapsOf(width, to.width, box.x, box.width);
  const rows = tapsOf(height, to.height, box.y, box.height);
  const summed = new Map<number, Int32Array>();
  const result = new Uint8ClampedArray(box.width * box.height * 3);
  for (let y = 0; y < box.height; y++) {
    const inputs = rows.inputs.subarray(y * TAPS, (y + 1) * TAPS);
    const weights = Float32Array.from(rows.weights.subarray(y * TAPS, (y + 1) * TAPS), (w) => w / PARTS ** 2);
    for (const row of inputs)
      if (!summed.has(row)) summed.set(row, sumColumns(data, row * width * 3, columns));
    const four = Array.from(inputs, (row) => summed.get(row)!);
    sumRows(four, weights, result.subarray(y * box.width * 3, (y + 1) * box.width * 3));
    for (const row of summed.keys()) if (row < inputs[0]!) summed.delete(row); // never read again
  }
  return new Uint8Array(result.buffer);
}
