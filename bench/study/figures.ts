/** Means over prompts with bootstrap intervals: prompts are drawn anew, with all their replays. */
import { bootstrap, clusterIds, type Interval } from '../../src/lib/bootstrap.ts';

/** What a strategy did for one prompt, averaged over its replays. */
export interface PromptMean {
  prompt: string;
  /** MOS of the picked image less the mean MOS of the prompt's images. */
  gain: number;
  work: number;
}

export interface Figure {
  value: number;
  ci: Interval | null;
}

type Column = readonly number[];

const weighted = (column: Column, weights: ArrayLike<number>): number =>
  column.reduce((sum, x, i) => sum + weights[i]! * x, 0);

/** Mean of a column. */
export const meanOf = (column: Column): Figure =>
  figure(column.length, (weights) => {
    const total = weighted(
      column.map(() => 1),
      weights,
    );
    return weighted(column, weights) / total;
  });

/** Sum of one column over the sum of another. */
export const ratioOf = (above: Column, below: Column): Figure =>
  figure(above.length, (weights) => weighted(above, weights) / weighted(below, weights));

function figure(count: number, statistic: (weights: ArrayLike<number>) => number): Figure {
  const ones = new Float64Array(count).fill(1);
  const clusters = clusterIds(Array.from({ length: count }, (_, i) => i));
  const [ci] = bootstrap(clusters, [statistic]);
  return { value: statistic(ones), ci: ci ?? null };
}

export const text = ({ value, ci }: Figure, digits = 3): string =>
  `${value.toFixed(digits)}${ci ? ` (${ci[0].toFixed(digits)} to ${ci[1].toFixed(digits)})` : ''}`;
