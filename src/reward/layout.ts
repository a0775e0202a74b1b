/**
 * 4 guard: whether raw pixels stand in the order that their sender says. A picture's neighbours are alike; where the
 * values a row apart differ more than those that would be a row apart in another order, it is the other order. Pure; a
 * fixed number of samples. `npm run guards` measures catch and false-alarm rates.
 */
import type { GuardFinding, ImageInput } from '../types.ts';

export type RawImage = Pick<Extract<ImageInput, { kind: 'raw' }>, 'format' | 'width' | 'height' | 'bytes'>;

const SAMPLES = 1024;
/** Spreads samples over all columns and channels, whatever the width. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Mean difference of values that lie `step` apart. */
type Difference = (step: number) => number;

function differences(bytes: Uint8Array, longest: number): Difference {
  const room = bytes.length - longest;
  const at = new Int32Array(SAMPLES);
  for (let k = 0; k < SAMPLES; k++) at[k] = Math.floor(((k * GOLDEN) % 1) * room);
  return (step) => {
    let sum = 0;
    for (const i of at) sum += Math.abs(bytes[i]! - bytes[i + step]!);
    return sum / SAMPLES;
  };
}

/** Another order must be this much better to be believed: of real pictures in the right order none comes below 1.0. */
const BETTER = 0.75;
/** In the right order rows differ about as much as columns do; in a wrong one only by chance. */
const ALIKE = 2;
/** Grey levels: in flatter pictures there is nothing to tell by. */
const LEAST = 2;

/** Values a row apart, also where every other row is alike, as in stripes. */
const rowsApart = (difference: Difference, step: number): number =>
  Math.min(difference(step), difference(2 * step));

/**
 * What the order of the values looks like instead, or null.
 *
 * @example wrongOrder({ format: 'rgb8', width: 640, height: 480, bytes }) // 'one plane a channel (CHW)'
 */
export function wrongOrder({ format, width, height, bytes }: RawImage): string | null {
  const channels = format === 'rgb8' ? 3 : 4;
  const longest = 2 * channels * Math.max(width, height);
  if (bytes.length < 2 * longest) return null;
  const difference = differences(bytes, longest);
  const rows = rowsApart(difference, channels * width);
  if (rows < LEAST) return null;
  /** Whether an order is better in which neighbours are `column` and `row` apart. */
  const better = (column: number, row: number): boolean => {
    const found = difference(row);
    return found < BETTER * rows && found < ALIKE * difference(column);
  };
  const inPlanes = difference(1) < difference(channels);
  if (inPlanes && better(1, width)) return 'one plane a channel (CHW)';
  if (width === height) return null;
  if (better(channels, channels * height)) return `${height}×${width} pixels, width and height swapped`;
  if (inPlanes && better(1, height)) return `one plane a channel (CHW) of ${height}×${width} pixels`;
  return null;
}

/** The finding when raw pixels are in another order than their sender says. */
export function inspectOrder(image: ImageInput): GuardFinding[] {
  const found = image.kind === 'raw' ? wrongOrder(image) : null;
  if (found === null) return [];
  return [{ guard: 'corrupt', message: `the raw pixels look like ${found}, not like rows of pixels` }];
}
