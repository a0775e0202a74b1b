/** Whether one more image is worth its price: optimal stopping where what was made can be kept. Pure. */
import { above, density } from './student.ts';

/** Fewer tell nothing of how far images differ. */
export const LEAST_FIGURES = 3;

/** Mean, and variance by n - 1. */
function momentsOf(figures: readonly number[]): { mean: number; variance: number } {
  const mean = figures.reduce((a, b) => a + b, 0) / figures.length;
  const squares = figures.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, variance: squares / (figures.length - 1) };
}

/** How far images of one prompt differ, in the unit of the figures. */
export const spreadOf = (figures: readonly number[]): number => Math.sqrt(momentsOf(figures).variance);

/**
 * What one more image is expected to add to the `keep` best: the mean of what it is above the worst of them, as the next
 * of these figures is distributed if they come from a normal distribution of which nothing else is known (Student's t).
 * Few figures make it large, so that little is concluded from little.
 *
 * @param figures of the images so far, at least three and at least `keep`
 * @returns in the unit of the figures
 * @see Y. Kalayci et al., "Optimal stopping vs best-of-N for inference time optimization", arXiv 2510.01394, for the
 *   rule to stop where the gain falls below the price; P. Frazier, "A tutorial on Bayesian optimization", 2018, for the
 *   expected improvement
 */
export function expectedGain(figures: readonly number[], keep: number): number {
  const { mean, variance } = momentsOf(figures);
  const least = figures.toSorted((a, b) => b - a)[keep - 1]!;
  const freedom = figures.length - 1;
  const scale = Math.sqrt(variance * (1 + 1 / figures.length));
  if (scale === 0) return 0;
  const z = (least - mean) / scale;
  const tail = ((freedom + z * z) / (freedom - 1)) * density(z, freedom);
  return scale * (tail - z * above(z, freedom));
}
