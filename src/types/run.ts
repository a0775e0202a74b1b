/** Training runs, as the monitor sees them. */
import type { Aspect } from './aspect.ts';
import type { Colour } from './image.ts';

/** A mean in two spans that follow each other. */
export interface Change {
  before: number;
  after: number;
  /** The difference in its own standard errors; above zero it has risen. */
  certainty: number;
}

/** A reward and a held-out score, each in the latest groups and in as many before them. */
export interface Divergence {
  /** How many there are of each. */
  groups: number;
  reward: Change;
  heldOut: Change;
}

/** What a number of images of one run has in common; null where there is nothing to tell. */
export interface RunFigures {
  images: number;
  /** Mean of the rewards, with what was put in the place of missing ones. */
  reward: number | null;
  /** Mean score, by scorer and aspect: `assay-base/quality`. */
  aspects: Record<string, number>;
  /** Mean standard deviation of the rewards within groups of two and more, and the share of groups that have none. */
  withinGroups: number | null;
  zeroVariance: number | null;
  /** Shares of the images: equal to another one of them, with a guard, without a reward of their own, failed. */
  duplicates: number;
  guarded: number;
  missing: number;
  failed: number;
  colour: Colour | null;
}

/** A warning that the reward of a run is being gamed. */
export interface RunWarning extends Divergence {
  run: string;
  profile: string | null;
  /** Unix milliseconds. */
  at: number;
  /** What judged beside the reward. */
  scorer: string;
  message: string;
}

/** What the held-out scorer says of a run. */
export interface HeldOutFigures {
  /** Groups that it has judged, and those that were to be and were not: it was too slow, or it failed. */
  judged: number;
  skipped: number;
  /** Means of the latest groups that both judged. */
  reward: number | null;
  score: number | null;
  /** Share of the pairs within those groups that both put in the same order; 0.5 is chance. */
  agreement: number | null;
  /** Changes over spans of different length, shortest first. */
  changes: Divergence[];
}

/** One training run under one profile. */
export interface RunReport {
  run: string;
  profile: string | null;
  /** Unix milliseconds of the first and the latest request. */
  since: number;
  latest: number;
  images: number;
  /** Of the latest images, and of the first ones. */
  recent: RunFigures;
  start: RunFigures;
  /** How far the colour has moved, in standard deviations of the first images. */
  drift: Colour | null;
  /** Null without a held-out scorer. */
  heldOut: HeldOutFigures | null;
  /** The latest ones. */
  warnings: RunWarning[];
}

export interface MonitorReport {
  /** What is set: the scorer, its aspect (null: its own reward) and the share of groups that it judges. */
  heldOut: { scorer: string; aspect: Aspect | null; share: number } | null;
  /** Latest first. */
  runs: RunReport[];
}
