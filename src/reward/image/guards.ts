/**
 * 4 guard: cheap pixel checks that make a model's score meaningless. Pure; a fixed number of samples an image,
 * so the cost does not grow with its size. `npm run guards` measures catch and false-alarm rates.
 */
import type { GuardFinding, GuardName } from '../../types/guard.ts';
import type { Pixels } from '../../types/image.ts';
import type { Domain } from '../../types/judge.ts';

/** Figures that the guards decide on; luminance is 0..255. */
export interface PixelStatistics {
  /** Standard deviation of the channel that varies most. */
  spread: number;
  /** Mean squared step between neighbours ÷ twice the variance: 1 for white noise, near 0 for smooth pictures. */
  roughness: number;
  /** Variance of block means ÷ variance: near 0 when nothing is larger than a grain. */
  structure: number;
  /** Share of the samples that have one of two exact colours. */
  twoColours: number;
  /** Share of the height, from the bottom up, that is one fill colour after an abrupt edge. */
  missingBottom: number;
}

/** Samples a side of the grid that the statistics are read from. */
const GRID = 96;
/** Blocks a side for the coarse structure: 12 × 12 samples each. */
const BLOCKS = 8;

/** Byte offsets of sample pixels spread evenly; each has a right and a lower neighbour. */
function sampleOffsets({ width, height }: Pixels): Int32Array {
  const offsets = new Int32Array(GRID * GRID);
  for (let j = 0, k = 0; j < GRID; j++) {
    const y = Math.floor(((j + 0.5) * (height - 1)) / GRID);
    for (let i = 0; i < GRID; i++)
      offsets[k++] = (y * width + Math.floor(((i + 0.5) * (width - 1)) / GRID)) * 3;
  }
  return offsets;
}

/** ITU-R BT.601 luma of the pixel at byte offset `o`. */
const luma = (d: Uint8Array, o: number): number => 0.299 * d[o]! + 0.587 * d[o + 1]! + 0.114 * d[o + 2]!;

function variance(values: Float64Array): number {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return Math.max(0, squares / values.length - mean * mean);
}

/** Standard deviation of the channel that varies most. */
function channelSpread(data: Uint8Array, offsets: Int32Array): number {
  const sums = new Float64Array(6);
  for (let k = 0; k < offsets.length; k++) {
    const o = offsets[k]!;
    for (let c = 0; c < 3; c++) {
      const value = data[o + c]!;
      sums[c]! += value;
      sums[3 + c]! += value * value;
    }
  }
  const n = offsets.length;
  const variances = [0, 1, 2].map((c) => sums[3 + c]! / n - (sums[c]! / n) ** 2);
  return Math.sqrt(Math.max(0, ...variances));
}

/** Mean squared luma step to the right and lower neighbours. */
function meanSquaredStep({ data, width }: Pixels, offsets: Int32Array, lumas: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < offsets.length; k++) {
    const o = offsets[k]!;
    const right = luma(data, o + 3) - lumas[k]!;
    const below = luma(data, o + width * 3) - lumas[k]!;
    sum += right * right + below * below;
  }
  return sum / (2 * offsets.length);
}

function blockMeans(lumas: Float64Array): Float64Array {
  const side = GRID / BLOCKS;
  const means = new Float64Array(BLOCKS * BLOCKS);
  for (let j = 0; j < GRID; j++)
    for (let i = 0; i < GRID; i++)
      means[Math.floor(j / side) * BLOCKS + Math.floor(i / side)]! += lumas[j * GRID + i]! / (side * side);
  return means;
}

/** Every fourth sample is enough to count colours. */
const COLOUR_STEP = 4;

/** The two longest runs of equal values in a sorted array, together. */
function twoLongestRuns(sorted: Uint32Array): number {
  let first = 0;
  let second = 0;
  let start = 0;
  for (let k = 1; k <= sorted.length; k++) {
    if (k < sorted.length && sorted[k] === sorted[start]) continue;
    const run = k - start;
    start = k;
    second = Math.max(second, Math.min(run, first));
    first = Math.max(first, run);
  }
  return first + second;
}

/** Share of the two most frequent exact colours. */
function twoColourShare({ data }: Pixels, offsets: Int32Array): number {
  const colours = new Uint32Array(offsets.length / COLOUR_STEP);
  for (let k = 0; k < colours.length; k++) {
    const o = offsets[k * COLOUR_STEP]!;
    colours[k] = (data[o]! << 16) | (data[o + 1]! << 8) | data[o + 2]!;
  }
  return twoLongestRuns(colours.sort()) / colours.length;
}

/** Decoders fill what is missing with mid grey (JPEG) or black (PNG). */
const isFill = (r: number, g: number, b: number): boolean =>
  r === g && g === b && (r === 0 || Math.abs(r - 128) <= 1);

/** Most columns of a row, and most rows, that are looked at: all of them in images of usual sizes. */
const COLUMNS = 1024;
const ROWS = 256;

/** Byte offsets of the columns that are looked at, from the start of a row: evenly spread, both ends among them. */
function columnOffsets(width: number): Int32Array {
  const offsets = new Int32Array(Math.min(width, COLUMNS));
  const step = (width - 1) / (offsets.length - 1);
  for (let i = 0; i < offsets.length; i++) offsets[i] = 3 * Math.round(i * step);
  return offsets;
}

/** Whether row `y` is one fill colour all along. */
function isFilledRow({ data, width }: Pixels, columns: Int32Array, y: number): boolean {
  const start = y * width * 3;
  const [r, g, b] = [data[start]!, data[start + 1]!, data[start + 2]!];
  if (!isFill(r, g, b)) return false;
  for (const column of columns) {
    const o = start + column;
    if (data[o] !== r || data[o + 1] !== g || data[o + 2] !== b) return false;
  }
  return true;
}

/** Mean luma difference of row `y` to the fill below it. */
function edgeHeight({ data, width, height }: Pixels, columns: Int32Array, y: number): number {
  const fill = luma(data, (height - 1) * width * 3);
  let sum = 0;
  for (const column of columns) sum += Math.abs(luma(data, y * width * 3 + column) - fill);
  return sum / columns.length;
}

/**
 * The lowest row that is not filled, or -1: found in strides from the bottom up, then to the row in the last stride.
 * Something that is lower than a stride (1/256 of the height) can be overlooked in what is else filled.
 */
function lastRow(pixels: Pixels, columns: Int32Array): number {
  const stride = Math.ceil(pixels.height / ROWS);
  let filled = pixels.height;
  let y = pixels.height - 1;
  while (y >= 0 && isFilledRow(pixels, columns, y)) {
    filled = y;
    y = y > 0 ? Math.max(0, y - stride) : -1;
  }
  while (filled - y > 1) {
    const middle = (filled + y) >> 1;
    if (isFilledRow(pixels, columns, middle)) filled = middle;
    else y = middle;
  }
  return y;
}

/** Rows of one block of a JPEG with subsampled colour: the last one may be half decoded. */
const BLOCK_ROWS = 16;
/** A drop to black by less than this is a dark picture, not a missing part. */
const MIN_EDGE = 12;

function missingBottom(pixels: Pixels): number {
  const columns = columnOffsets(pixels.width);
  const y = lastRow(pixels, columns);
  const letterboxed = isFilledRow(pixels, columns, 0);
  if (y < BLOCK_ROWS || letterboxed || edgeHeight(pixels, columns, y - BLOCK_ROWS) < MIN_EDGE) return 0;
  return (pixels.height - 1 - y) / pixels.height;
}

/** The figures of an image of at least 2 × 2 pixels. */
export function measure(pixels: Pixels): PixelStatistics {
  const offsets = sampleOffsets(pixels);
  const lumas = new Float64Array(offsets.length);
  for (let k = 0; k < offsets.length; k++) lumas[k] = luma(pixels.data, offsets[k]!);
  const total = Math.max(variance(lumas), 1e-9);
  return {
    spread: channelSpread(pixels.data, offsets),
    roughness: meanSquaredStep(pixels, offsets, lumas) / (2 * total),
    structure: variance(blockMeans(lumas)) / total,
    twoColours: twoColourShare(pixels, offsets),
    missingBottom: missingBottom(pixels),
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** Each guard: the reason when it trips, else nothing. Thresholds lie outside what 2,382 rated images show. */
const GUARDS: Record<GuardName, (s: PixelStatistics, p: Pixels, d: Domain) => string | undefined> = {
  blank: (s) =>
    s.spread < 2 ? `all pixels have nearly one colour (spread ${s.spread.toFixed(1)} of 255)` : undefined,
  noise: (s) => {
    const white = s.roughness > 0.4 && s.structure < 0.05;
    const grainy = s.roughness > 0.02 && s.structure < 0.012;
    return white || grainy ? 'noise without any larger structure' : undefined;
  },
  corrupt: (s) =>
    s.missingBottom >= 0.04 ? `the lowest ${percent(s.missingBottom)} are missing (decoder fill)` : undefined,
  'out-of-domain': (s, { width, height }, d) => {
    const ratio = Math.max(width, height) / Math.min(width, height);
    if (Math.min(width, height) < d.minSide)
      return `${width}×${height} pixels; the scorer needs ${d.minSide} on the short side`;
    if (ratio > d.maxAspectRatio)
      return `sides are ${ratio.toFixed(1)} : 1; the scorer knows up to ${d.maxAspectRatio} : 1`;
    if (s.twoColours >= 0.99 && s.spread >= 2)
      return 'two flat colours: a drawing, text or mask rather than a picture';
    return undefined;
  },
};

/**
 * Findings that make a score meaningless; empty for a normal picture.
 *
 * @param pixels at least 2 × 2
 * @param statistics of these pixels, where they are known
 * @example inspect(black, { minSide: 64, maxAspectRatio: 4 }) // [{ guard: 'blank', message: '…' }]
 */
export function inspect(pixels: Pixels, domain: Domain, statistics = measure(pixels)): GuardFinding[] {
  return Object.entries(GUARDS).flatMap(([guard, check]) => {
    const message = check(statistics, pixels, domain);
    return message === undefined ? [] : [{ guard: guard as GuardName, message }];
  });
}

/** All findings, each guard named once: by the first that tripped it. */
export const together = (...findings: GuardFinding[]): GuardFinding[] =>
  findings.filter(({ guard }, i) => findings.findIndex((other) => other.guard === guard) === i);
