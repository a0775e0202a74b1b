/** 5 prepare: the views of an image that a graph reads, either one or a set of windows and the whole. Pure. */
import type { Pixels } from '../../types/image.ts';
import type { ExactKernel } from '../model/manifest.ts';
import { opencvResize } from './opencv.ts';
import {
  type Between,
  type Box,
  between,
  type Filter,
  interpolate,
  pillowPick,
  pillowResize,
  range,
  type Size,
  torchResize,
} from './resample.ts';

export interface ViewSpec extends Size {
  resize: 'stretch' | 'cover' | 'contain';
  kernel: ExactKernel;
}

export interface WindowsSpec extends Size {
  /** Windows an image. */
  count: number;
  /** Pixels between neighbouring windows; `largeStride` when a side has at least `largeSide`. */
  stride: number;
  largeStride: number;
  largeSide: number;
  /** Images with a shorter side than this are enlarged to it. */
  enlargeTo: number;
  /** Whether the whole image is made, too. */
  whole: boolean;
}

export interface Views {
  /** `[count, height, width, 3]` */
  windows: Uint8Array;
  /** `[height, width, 3]`, 0..255, not rounded; null where it is not made. */
  whole: Float32Array | null;
}

/** Halves go to the even neighbour, as in Python. */
function round(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Size at which an image just covers `to`: one side fits, the other is cut off to whole pixels. */
const coveringSize = ({ width, height }: Size, to: Size): Size =>
  width * to.height <= height * to.width
    ? { width: to.width, height: Math.floor((to.width * height) / width) }
    : { width: Math.floor((to.height * width) / height), height: to.height };

/** Size at which an image just fits into `to`, as Pillow's `ImageOps.contain` has it, but at least one pixel. */
const containedSize = ({ width, height }: Size, to: Size): Size =>
  width / height > to.width / to.height
    ? { width: to.width, height: Math.max(1, round((height / width) * to.width)) }
    : { width: Math.max(1, round((width / height) * to.height)), height: to.height };

function resized(pixels: Pixels, to: Size, kernel: ExactKernel, box?: Box): Uint8Array | Float32Array {
  if (kernel === 'opencv-cubic') return opencvResize(pixels, to, box);
  if (kernel === 'torch-linear') return torchResize(pixels, to, box);
  return pillowResize(pixels, to, kernel === 'pillow-cubic' ? 'cubic' : 'linear', box).data;
}

/** `inner` in the middle of black. */
function onBlack<T extends Uint8Array | Float32Array>(inner: T, size: Size, to: Size): T {
  const outer = new (inner.constructor as Uint8ArrayConstructor)(to.width * to.height * 3) as T;
  const x = round((to.width - size.width) / 2);
  const y = round((to.height - size.height) / 2);
  for (let row = 0; row < size.height; row++)
    outer.set(
      inner.subarray(row * size.width * 3, (row + 1) * size.width * 3),
      ((y + row) * to.width + x) * 3,
    );
  return outer;
}

/**
 * The image as one view, `[height, width, 3]`, 0..255: bytes, or floats that are not rounded from `torch-linear`.
 *
 * `cover` is torchvision's Resize of the shorter side and CenterCrop, `contain` Pillow's `ImageOps.pad` on black. May
 * return the image's own bytes.
 */
export function makeView(pixels: Pixels, spec: ViewSpec): Uint8Array | Float32Array {
  const to: Size = { width: spec.width, height: spec.height };
  if (spec.resize === 'stretch') return resized(pixels, to, spec.kernel);
  if (spec.resize === 'contain') {
    const size = containedSize(pixels, to);
    return onBlack(resized(pixels, size, spec.kernel), size, to);
  }
  const size = coveringSize(pixels, to);
  const x = round((size.width - to.width) / 2);
  const y = round((size.height - to.height) / 2);
  return resized(pixels, size, spec.kernel, { x, y, ...to });
}

/**
 * The windows of an image of this size, evenly spread over the row-major list of all: number i is i · ⌊all / count⌋ of
 * it. With fewer than `count` in the list, they are all its first.
 *
 * @throws RangeError when not even one window fits in
 */
export function chooseWindows({ width, height }: Size, spec: WindowsSpec): Box[] {
  const stride = Math.max(width, height) >= spec.largeSide ? spec.largeStride : spec.stride;
  const columns = Math.floor((width - spec.width) / stride) + 1;
  const rows = Math.floor((height - spec.height) / stride) + 1;
  if (columns < 1 || rows < 1)
    throw new RangeError(`no window of ${spec.width}×${spec.height} fits into ${width}×${height} pixels`);
  const step = Math.floor((columns * rows) / spec.count);
  return Array.from({ length: spec.count }, (_, i) => ({
    x: ((i * step) % columns) * stride,
    y: Math.floor((i * step) / columns) * stride,
    width: spec.width,
    height: spec.height,
  }));
}

/** Size after images with a side below `enlargeTo` are enlarged. */
const enlargedSize = (size: Size, enlargeTo: number): Size =>
  Math.min(size.width, size.height) < enlargeTo
    ? coveringSize(size, { width: enlargeTo, height: enlargeTo })
    : { width: size.width, height: size.height };

/** Positions that some runs and points need, ascending, and where each of them went. */
function union(runs: Int32Array[]): { positions: Int32Array; index: Map<number, number> } {
  const positions = Int32Array.from(new Set(runs.flatMap((run) => [...run]))).sort();
  return { positions, index: new Map(Array.from(positions, (position, i) => [position, i])) };
}

const moved = ({ low, high, share }: Between, index: Map<number, number>): Between => ({
  low: low.map((position) => index.get(position)!),
  high: high.map((position) => index.get(position)!),
  share,
});

/** Copies the boxes, all of one size, out of an image, one after the other. */
function cut({ data, width }: Pixels, boxes: Box[]): Uint8Array {
  const { width: boxWidth, height: boxHeight } = boxes[0]!;
  const result = new Uint8Array(boxes.length * boxWidth * boxHeight * 3);
  let at = 0;
  for (const { x, y } of boxes)
    for (let row = y; row < y + boxHeight; row++, at += boxWidth * 3) {
      const from = (row * width + x) * 3;
      result.set(data.subarray(from, from + boxWidth * 3), at);
    }
  return result;
}

const ENLARGING: Filter = 'linear';

/**
 * Windows of the image at its own size, or enlarged with Pillow's linear kernel when it is small, and, where it is read,
 * the whole of that with torch's.
 *
 * Of an enlarged image only the columns and rows that are read are made: that of a long strip would not fit in memory.
 *
 * @throws RangeError when not even one window fits in
 */
export function makeWindows(pixels: Pixels, spec: WindowsSpec): Views {
  const size = enlargedSize(pixels, spec.enlargeTo);
  const boxes = chooseWindows(size, spec);
  const columns = spec.whole && between(size.width, spec.width);
  const rows = spec.whole && between(size.height, spec.height);
  if (size.width === pixels.width && size.height === pixels.height)
    return {
      windows: cut(pixels, boxes),
      whole: columns && rows ? interpolate(pixels, columns, rows) : null,
    };
  const read = (points: Between | false) => (points ? [points.low, points.high] : []);
  const xs = union([...read(columns), ...boxes.map((box) => range(box.x, box.width))]);
  const ys = union([...read(rows), ...boxes.map((box) => range(box.y, box.height))]);
  const enlarged = pillowPick(pixels, size, ENLARGING, xs.positions, ys.positions);
  const found = boxes.map((box) => ({ ...box, x: xs.index.get(box.x)!, y: ys.index.get(box.y)! }));
  return {
    windows: cut(enlarged, found),
    whole: columns && rows ? interpolate(enlarged, moved(columns, xs.index), moved(rows, ys.index)) : null,
  };
}
