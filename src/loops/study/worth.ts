/** Whether one more image is worth its price: optimal stopping where what was made can be kept. Pure. */
import { above, density } from './student.ts';

/** Fewer tell nothing of how far images differ. */
export const LEAST_FIGURES = 3;

/** What is known beforehand of the figures of any image: of the scorer's reference images, say. */
export interface Expected {
  mean: number;
  /** Standard deviation. */
  spread: number;
}

/** Images that what is known beforehand is worth beside those that were made: enough that two or three tell something. */
const WORTH = { mean: 4, spread: 2 };

/** What a figure that is still to come is expected to be: Student's t distribution around a middle. */
export interface Next {
  middle: number;
  scale: number;
  /** Degrees of freedom, above 1. */
  freedom: number;
}

/** @see K. Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007, section 3 */
export function nextOf(
  figures: readonly number[],
  expected?: Expected,
): Next & { /** Standard deviation of the figures. */ spread: number } {
  const n = figures.length;
  const mean = figures.reduce((a, b) => a + b, 0) / n;
  const squares = figures.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  if (!expected) {
    const spread = Math.sqrt(squares / (n - 1));
    return { middle: mean, scale: spread * Math.sqrt(1 + 1 / n), freedom: n - 1, spread };
  }
  const weight = WORTH.mean + n;
  const freedom = WORTH.spread + n;
  const apart = ((WORTH.mean * n) / weight) * (mean - expected.mean) ** 2;
  const spread = Math.sqrt((WORTH.spread * expected.spread ** 2 + squares + apart) / freedom);
  const middle = (WORTH.mean * expected.mean + n * mean) / weight;
  return { middle, scale: spread * Math.sqrt(1 + 1 / weight), freedom, spread };
}

export interface Gain {
  /** In the unit of the figures. */
  gain: number;
  /** How far images of one prompt differ, as far as is known. */
  spread: number;
}

/**
 * What one more image is expected to add to the `keep` best: the mean of what it is above the worst of them, as the next
 * of these figures is distributed if they come from a normal distribution (Student's t). Few figures make it large, so
 * that little is concluded from little.
 *
 * @param figures of the images so far, at least three and at least `keep`
 * @see Y. Kalayci et al., "Optimal stopping vs best-of-N for inference time optimization", arXiv 2510.01394, for the
 *   rule to stop where the gain falls below the price; P. Frazier, "A tutorial on Bayesian optimization", 2018, for the
 *   expected improvement
 */
export function expectedGain(figures: readonly number[], keep: number, expected?: Expected): Gain {
  const next = nextOf(figures, expected);
  const least = figures.toSorted((a, b) => b - a)[keep - 1]!;
  return { gain: gainOver(next, least), spread: next.spread };
}

/** What a figure still to come is expected to be above `least`, where it is; in the unit of the figures. */
export function gainOver({ middle, scale, freedom }: Next, least: number): number {
  if (scale === 0) return Math.max(0, middle - least);
  const z = (least - middle) / scale;
  const tail = ((freedom + z * z) / (freedom - 1)) * density(z, freedom);
  return scale * (tail - z * above(z, freedom));
}
