/**
 * 4 guard: whether raw pixels are what their sender says. A picture's neighbours are alike; where the values a row apart
 * differ more than those that would be a row apart in another order, it is the other order. Pure; a fixed number of
 * samples, and the ends of the rows. `npm run guards` measures catch and false-alarm rates.
 */
import type { GuardFinding } from '../../types/guard.ts';
import type { ImageInput } from '../../types/image.ts';

export type RawImage = Pick<Extract<ImageInput, { kind: 'raw' }>, 'format' | 'width' | 'height' | 'bytes'>;

const SAMPLES = 1024;
/** Spreads samples over all columns and channels, whatever the width. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Mean difference of values that lie `step` apart; with `lane`, of those that begin there in a group of so many. */
type Difference = (step: number, lane?: { of: number; at: number }) => number;

function samplesIn(room: number): Int32Array {
  const at = new Int32Array(SAMPLES);
  for (let k = 0; k < SAMPLES; k++) at[k] = Math.floor(((k * GOLDEN) % 1) * room);
  return at;
}

function differences(bytes: Uint8Array, longest: number): Difference {
  const samples = samplesIn(bytes.length - longest - 4);
  return (step, lane) => {
    let sum = 0;
    for (const sample of samples) {
      const i = lane ? sample - (sample % lane.of) + lane.at : sample;
      sum += Math.abs(bytes[i]! - bytes[i + step]!);
    }
    return sum / SAMPLES;
  };
}

/** Another order must be this much better to be believed: of real pictures in the right order none comes below 1.0. */
const BETTER = 0.75;
/** In the right order rows differ about as much as columns do; in a wrong one only by chance. */
const ALIKE = 2;
/** Grey levels: in flatter pictures there is nothing to tell by. */
const LEAST = 2;
/** Least share of numbers of a picture that must be from about 0 to 1 by their highest byte, and that must not be 0. */
const [MOST, SOME] = [0.98, 0.3];
/** Numbers in floating point by their bytes: the highest one of 1/255 and of 1. */
const FLOATS = [
  { size: 2, lowest: 0x1c, highest: 0x3c },
  { size: 4, lowest: 0x3b, highest: 0x3f },
] as const;
/** Widest padding of a row that is looked for, in pixels. */
const WIDEST = 64;

/** Values a row apart, also where every other row is alike, as in stripes. */
const rowsApart = (difference: Difference, step: number): number =>
  Math.min(difference(step), difference(2 * step));

/** Whether every `size` bytes are one number from 0 to 1, low byte first: the highest byte hardly varies. */
function areFloats(bytes: Uint8Array, { size, lowest, highest }: (typeof FLOATS)[number]): boolean {
  const samples = samplesIn(bytes.length - size);
  const share = (byte: number, from: number, to: number): number => {
    let found = 0;
    for (const i of samples) {
      const value = bytes[i - (i % size) + byte]!;
      if (value >= from && value <= to) found++;
    }
    return found / SAMPLES;
  };
  const high = share(size - 1, lowest, highest);
  return high > SOME && high + share(size - 1, 0, 0) > MOST && share(0, lowest, highest) < high / 2;
}

/** Whether neighbours are alike within a pixel as they are from one to the next: then there are no pixels. */
function hasNoPixels(difference: Difference, of: number): boolean {
  const within = difference(1, { of, at: 0 });
  const between = difference(1, { of, at: of - 1 });
  return difference(1) < BETTER * difference(of) && within > BETTER * between;
}

/** Share of slopes that must be there to compare them. */
const SLOPED = 0.12;
/** Channels of one picture rise and fall together; of real pictures no other two places agree by more than 0.31. */
const TOGETHER = 0.4;
/** In the right order channels of one pixel agree better than those of two neighbours: by more than this, but for flat pictures. */
const CLOSER = 0.15;

/**
 * Whether values rise and fall together with those `apart` behind them: -1 to 1, about 0 where they have nothing to do
 * with each other or hardly change.
 */
function agreement({ image: { bytes }, channels }: View, apart: number, lane?: number): number {
  let [same, all] = [0, 0];
  for (const sample of samplesIn(bytes.length - apart - 2 * channels)) {
    const i = lane === undefined ? sample : sample - (sample % channels) + lane;
    const [here, there] = [
      bytes[i + channels]! - bytes[i]!,
      bytes[i + apart + channels]! - bytes[i + apart]!,
    ];
    if (Math.abs(here) < LEAST || Math.abs(there) < LEAST) continue;
    all++;
    if (here > 0 === there > 0) same++;
  }
  return all < SLOPED * SAMPLES ? 0 : (2 * same) / all - 1;
}

/** Whether the values of a channel stand in a row, and behind it those of the next channel for the same pixels. */
function areRowsOfPlanes(view: View): boolean {
  const { image, channels, difference } = view;
  // Three equal pictures side by side agree, too: to the value, as channels do not, and they have pixels.
  if (difference(image.width) < LEAST || agreement(view, image.width) < TOGETHER) return false;
  return agreement(view, 1, 0) - agreement(view, channels - 2, 2) < CLOSER;
}

/** Fewest rows that show a padding, and how many are looked at. */
const FEWEST_ROWS = 16;
const MOST_ROWS = 128;
/** Grey levels by which a padding differs from what is beside it. */
const PADDED = 8;

/** Bytes from row to row where each ends in the same few bytes of one value, which are not part of the picture. */
function paddedRow({ image: { bytes, width, height }, channels }: View): number | undefined {
  const own = channels * width;
  const value = bytes[own]!;
  const isPadded = (row: number): boolean => {
    const rows = Math.floor(bytes.length / row) - 1;
    const looks = Math.min(rows, MOST_ROWS);
    let contrast = 0;
    for (let look = 0; look < looks; look++) {
      const at = own + row * Math.floor((look * rows) / looks);
      for (let i = at; i < at + row - own; i++) if (bytes[i] !== value) return false;
      contrast += Math.abs(bytes[at - 1]! - value) + Math.abs(bytes[at + row - own]! - value);
      if (look === FEWEST_ROWS && contrast === 0) return false;
    }
    return contrast > 2 * PADDED * looks;
  };
  const rows = Array.from({ length: channels * WIDEST }, (_, i) => own + 1 + i);
  return height < FEWEST_ROWS ? undefined : rows.find(isPadded);
}

/** Median difference from the end of a row to the beginning of the next. */
function seamOf({ width, height, bytes }: RawImage, channels: number): number {
  const seams = new Float64Array(height - 1);
  for (let y = 1; y < height; y++)
    for (let c = 0; c < 3; c++) {
      const i = channels * width * y + c;
      seams[y - 1]! += Math.abs(bytes[i]! - bytes[i - channels]!) / 3;
    }
  return seams.sort()[(height - 1) >> 1]!;
}

const HCW = 'one row a channel (HCW)';

/** What is looked at to tell an order. */
interface View {
  image: RawImage;
  channels: number;
  difference: Difference;
  /** Of values a row apart, in the order that the sender says. */
  rows: number;
}

/** Whether an order is better in which neighbours are `column` and `row` apart. */
function isBetter({ difference, rows }: View, column: number, row: number): boolean {
  const found = difference(row);
  return found < BETTER * rows && found < ALIKE * difference(column);
}

function wrongValues({ image, channels, difference }: View): string | null {
  // One of four channels may hardly vary, as an exponent does.
  const float = channels === 3 ? FLOATS.find((one) => areFloats(image.bytes, one)) : undefined;
  if (float) return `floating-point numbers of ${8 * float.size} bits`;
  const other = 7 - channels;
  const isOther = difference(other) < BETTER * Math.min(difference(channels), difference(1));
  return isOther ? `pixels of ${other} values` : null;
}

function wrongPlaces(view: View): string | null {
  const { image, channels, difference } = view;
  const { width, height } = image;
  const inPlanes = difference(1) < difference(channels);
  if (inPlanes && isBetter(view, 1, width)) return 'one plane a channel (CHW)';
  if (width !== height) {
    const sides = `${height}×${width} pixels`;
    if (isBetter(view, channels, channels * height)) return `${sides}, width and height swapped`;
    if (inPlanes && isBetter(view, 1, height)) return `one plane a channel (CHW) of ${sides}`;
  }
  return hasNoPixels(difference, channels) ? HCW : null;
}

function wrongWidth(view: View): string | null {
  const { image, channels, difference } = view;
  // Rows of slanted lines fit with a shift, too; but a row of a picture does not begin where the last one ended.
  if (seamOf(image, channels) > ALIKE * difference(channels)) return null;
  const widths = Array.from({ length: WIDEST }, (_, i) => image.width + 1 + i);
  const found = widths.map((width) => difference(channels * width));
  const best = widths[found.indexOf(Math.min(...found))]!;
  return isBetter(view, channels, channels * best) ? `rows of ${best} pixels` : null;
}

/** A padding shows also where rows are too much alike to be told apart. */
function wrongStride(view: View): string | null {
  const row = paddedRow(view);
  if (row === undefined) return null;
  return row % view.channels === 0 ? `rows of ${row / view.channels} pixels` : `rows of ${row} bytes`;
}

/**
 * What the order of the values looks like instead, or null.
 *
 * @example wrongOrder({ format: 'rgb8', width: 640, height: 480, bytes }) // 'one plane a channel (CHW)'
 */
export function wrongOrder(image: RawImage): string | null {
  const { format, width, height, bytes } = image;
  const channels = format === 'rgb8' ? 3 : 4;
  const longest = 2 * channels * Math.max(width + WIDEST, height);
  if (bytes.length < 2 * longest) return null;
  const difference = differences(bytes, longest);
  const rows = rowsApart(difference, channels * width);
  const view = { image, channels, difference, rows };
  const unlike = rows < LEAST ? null : (wrongValues(view) ?? wrongPlaces(view) ?? wrongWidth(view));
  return unlike ?? (areRowsOfPlanes(view) ? HCW : null) ?? wrongStride(view);
}

/** The finding when raw pixels are in another order than their sender says. */
export function inspectOrder(image: ImageInput): GuardFinding[] {
  const found = image.kind === 'raw' ? wrongOrder(image) : null;
  if (found === null) return [];
  return [{ guard: 'corrupt', message: `the raw pixels look like ${found}, not like rows of pixels` }];
}
