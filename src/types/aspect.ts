/** What a scorer predicts: aspects and their scores. */

/** One human judgement that a scorer predicts. */
export const ASPECTS = ['quality', 'alignment', 'authenticity'] as const;
export type Aspect = (typeof ASPECTS)[number];

/** A predicted mean opinion score (MOS) of one aspect; higher is better. */
export interface AspectScore {
  score: number;
  /** Lowest and highest possible score. */
  range: [number, number];
  /** Share of the scorer's reference images that score lower, 0..1; null when it is not calibrated. */
  percentile: number | null;
  /** Prediction interval for the MOS; null when the scorer is not calibrated. */
  interval: [number, number] | null;
  /** Share of human ratings that fall into the interval, e.g. 0.9; null without one. */
  coverage: number | null;
  /** What the model said before it was calibrated. */
  raw?: number | undefined;
  /** Standard deviation of that, from the model itself; absent when it has none. */
  spread?: number | undefined;
  /** Probability of each level of the raw value, where the model predicts levels. */
  distribution?: Distribution | undefined;
}

/** Equally long lists. */
export interface Distribution {
  levels: number[];
  probabilities: number[];
}
