/**
 * 5 prepare: the resize kernels that published scorers were trained with, reproduced. Pure.
 *
 * A resized image is separable: output column `x` is a weighted sum of a run of input columns, and rows likewise. So
 * any columns and rows of it can be had alone, which is how crops of long images stay cheap.
 */
import type { Pixels } from '../../types/image.ts';

export interface Size {
  width: number;
  height: number;
}

/** A part of an image, in pixels. */
export interface Box extends Size {
  x: number;
  y: number;
}

/** Triangle, or the cubic convolution with a = -0.5. */
export type Filter = 'linear' | 'cubic';

/** `count` whole numbers from `from` on. */
export const range = (from: number, count: number): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => from + i);

const cubic = (x: number): number => {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
};

/** Weight at a distance (not negative), and the distance from which on it is 0. */
const FILTERS: Record<Filter, { support: number; at: (distance: number) => number }> = {
  linear: { support: 1, at: (x) => (x < 1 ? 1 - x : 0) },
  cubic: { support: 2, at: cubic },
};

/** Fixed-point weights have this many bits after the point, so that sums of 8-bit values fit 32 bits. */
const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** For each output of one axis, the run of inputs that it is summed from. */
interface Runs {
  /** First input of each run. */
  starts: Int32Array;
  /** Inputs in each run. */
  lengths: Int32Array;
  /** Fixed-point weights, `taps` an output. */
  weights: Int32Array;
  taps: number;
  /** Inputs that any run reads: from `first` up to `end`, without it. */
  first: number;
  end: number;
}

/** Weights of the run of inputs around `center`, which sum to 1. */
function weigh(filter: Filter, center: number, scale: number, start: number, length: number): Float64Array {
  const weights = new Float64Array(length);
  const narrow = 1 / scale;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    weights[i] = FILTERS[filter].at(Math.abs((i + start - center + 0.5) * narrow));
    sum += weights[i]!;
  }
  return sum === 0 ? weights : weights.map((weight) => weight / sum);
}

const toFixedPoint = (weight: number): number =>
  Math.trunc(weight * (1 << PRECISION) + (weight < 0 ? -0.5 : 0.5));

/** The runs of the outputs at `positions` when `inSize` pixels become `outSize`. Shrinking widens the filter. */
function runsOf(inSize: number, outSize: number, filter: Filter, positions: Int32Array): Runs {
  const step = inSize / outSize;
  const scale = Math.max(step, 1);
  const support = FILTERS[filter].support * scale;
  const taps = Math.ceil(support) * 2 + 1;
  const n = positions.length;
  const runs: Runs = {
    starts: new Int32Array(n),
    lengths: new Int32Array(n),
    weights: new Int32Array(n * taps),
    taps,
    first: inSize,
    end: 0,
  };
  positions.forEach((position, i) => {
    const center = (position + 0.5) * step;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    runs.starts[i] = start;
    runs.lengths[i] = end - start;
    runs.weights.set(weigh(filter, center, scale, start, end - start).map(toFixedPoint), i * taps);
    runs.first = Math.min(runs.first, start);
    runs.end = Math.max(runs.end, end);
  });
  return runs;
}

/**
 * Sums the runs along the middle axis of `[outer, length, inner]` bytes. `inner` is a multiple of 3: three sums are in
 * work at once.
 */
function sumRuns(source: Uint8Array, runs: Runs, outer: number, length: number, inner: number): Uint8Array {
  const { starts, lengths, weights, taps } = runs;
  const n = starts.length;
  const result = new Uint8ClampedArray(outer * n * inner);
  for (let o = 0, out = 0; o < outer; o++)
    for (let i = 0; i < n; i++) {
      const from = (o * length + starts[i]!) * inner;
      const last = i * taps + lengths[i]!;
      for (let j = from; j < from + inner; j += 3) {
        let a = HALF;
        let b = HALF;
        let c = HALF;
        for (let w = i * taps, at = j; w < last; w++, at += inner) {
          const weight = weights[w]!;
          a = (a + Math.imul(source[at]!, weight)) | 0;
          b = (b + Math.imul(source[at + 1]!, weight)) | 0;
          c = (c + Math.imul(source[at + 2]!, weight)) | 0;
        }
        result[out++] = a >> PRECISION;
        result[out++] = b >> PRECISION;
        result[out++] = c >> PRECISION;
      }
    }
  return new Uint8Array(result.buffer);
}

/**
 * Pillow's antialiased resize of 8-bit RGB to `to`, of which only the given columns and rows (ascending, no repeats) are
 * computed. Returns the input's own bytes when there is nothing to do.
 *
 * Equal bit for bit to Pillow 11 and 12: weights normalised for each output, then rounded to fixed point; columns first,
 * rows second, rounded and clipped to bytes after each; an axis whose size stays is left alone. Pillow 13 does rows
 * first where height shrinks more than width, which rounds and clips differently; the published scorers are older.
 */
export function pillowPick(
  pixels: Pixels,
  to: Size,
  filter: Filter,
  columns: Int32Array,
  rows: Int32Array,
): Pixels {
  let { data } = pixels;
  const { width, height } = pixels;
  const across =
    to.width === width && columns.length === width ? null : runsOf(width, to.width, filter, columns);
  const down =
    to.height === height && rows.length === height ? null : runsOf(height, to.height, filter, rows);
  // Rows that no output reads are left out.
  const [top, bottom] = down ? [down.first, down.end] : [0, height];
  if (down) data = data.subarray(top * width * 3, bottom * width * 3);
  if (across) data = sumRuns(data, across, bottom - top, width, 3);
  if (down) {
    const runs = { ...down, starts: down.starts.map((start) => start - top) };
    data = sumRuns(data, runs, 1, bottom - top, columns.length * 3);
  }
  return { data, width: columns.length, height: rows.length };
}

/** Pillow's antialiased resize of 8-bit RGB to `to`, or a part of the result: see `pillowPick`. */
export function pillowResize(
  pixels: Pixels,
  to: Size,
  filter: Filter,
  box: Box = { x: 0, y: 0, ...to },
): Pixels {
  return pillowPick(pixels, to, filter, range(box.x, box.width), range(box.y, box.height));
}

/** For each output of one axis, the two inputs that it lies between. */
export interface Between {
  low: Int32Array;
  high: Int32Array;
  /** Share of `high`, 0..1. */
  share: Float32Array;
}

/**
 * Where `count` outputs from `from` on lie when `inSize` pixels become `outSize`, pixel centres at halves.
 * In float32 arithmetic as in torch, since a large position carries its rounding into the share.
 */
export function between(inSize: number, outSize: number, from = 0, count = outSize): Between {
  const f = Math.fround;
  const step = f(inSize / outSize);
  const low = new Int32Array(count);
  const high = new Int32Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const position = Math.max(0, f(step * (from + i + 0.5) - 0.5));
    low[i] = Math.min(Math.floor(position), inSize - 1);
    high[i] = Math.min(low[i]! + 1, inSize - 1);
    share[i] = Math.min(1, position - low[i]!);
  }
  return { low, high, share };
}

/** Interpolates between the given columns and rows; float32 `[rows, columns, 3]`, 0..255, not rounded. */
export function interpolate({ data, width }: Pixels, columns: Between, rows: Between): Float32Array {
  const result = new Float32Array(rows.low.length * columns.low.length * 3);
  for (let y = 0, out = 0; y < rows.low.length; y++) {
    const top = rows.low[y]! * width;
    const bottom = rows.high[y]! * width;
    const down = rows.share[y]!;
    for (let x = 0; x < columns.low.length; x++) {
      const left = columns.low[x]!;
      const right = columns.high[x]!;
      const across = columns.share[x]!;
      for (let c = 0; c < 3; c++) {
        const upper = data[(top + left) * 3 + c]! * (1 - across) + data[(top + right) * 3 + c]! * across;
        const lower =
          data[(bottom + left) * 3 + c]! * (1 - across) + data[(bottom + right) * 3 + c]! * across;
        result[out++] = upper * (1 - down) + lower * down;
      }
    }
  }
  return result;
}

/**
 * torch's `interpolate(mode='bilinear', align_corners=False, antialias=False)` of RGB to `to`, or a part of the result:
 * float32 `[height, width, 3]`, 0..255, not rounded. Shrinking skips pixels.
 */
export function torchResize(pixels: Pixels, to: Size, box: Box = { x: 0, y: 0, ...to }): Float32Array {
  const columns = between(pixels.width, to.width, box.x, box.width);
  return interpolate(pixels, columns, between(pixels.height, to.height, box.y, box.height));
}
