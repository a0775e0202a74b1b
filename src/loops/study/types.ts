/** What a study is made of: plain data, all of it kept in the study's folder. */

/** What a parameter is set to. */
export type Value = string | number | boolean;

/** One candidate to make. */
export interface Trial {
  /** `t1`, `t2`, …: in the order in which they were asked for. */
  id: string;
  /** What the image is to show; null where the driver has the prompt itself. */
  prompt: string | null;
  /** 0..2^32-1. */
  seed: number;
  /** By name of the axis. */
  parameters: Record<string, Value>;
  stage: Stage;
  /** The trial that this one goes on from or is near to; null for a new one. */
  from: string | null;
}

/** How much work goes into a trial. */
export interface Stage {
  /** `full`, or what the strategy calls it. */
  name: string;
  /** Share of the work of a whole image, 0..1: of its sampling steps, say. */
  effort: number;
}

/** What a scorer says of one image, as far as a study reads it. */
export interface Scored {
  /** The driver's name for it: a file in the study's folder, say. */
  image: string;
  /**
   * Higher is better; by name of the measure: `reward`, an aspect, or any other that the picks are to go by. Null: it
   * has none, as when a guard tripped.
   */
  values: Readonly<Record<string, number | null>>;
  /** Prediction intervals of the values that have one. */
  intervals?: Readonly<Record<string, readonly [number, number]>> | undefined;
  /** Whether a policy turned it down: it is never a keeper then. */
  rejected?: boolean | undefined;
  /** Why, or what else is to be known of it, for people. */
  reasons?: readonly string[] | undefined;
}

/** How a trial ended. `elapsedMs`: the time that the study had taken by then, pauses left out. */
export type Outcome =
  | { images: readonly Scored[]; elapsedMs: number }
  | { failed: { code: string; message: string }; elapsedMs: number };

/** A trial and how it ended; null: not yet. */
export interface TrialState {
  trial: Trial;
  outcome: Outcome | null;
}

/** One image that may be picked. */
export interface Candidate {
  trial: Trial;
  /** Its place among the images of the trial. */
  index: number;
  scored: Scored;
  /** By the study's pick; higher is better. */
  value: number;
}

/** Why a study is over. */
export type StopReason =
  | 'keepers'
  | 'images'
  | 'minutes'
  | 'not-worth-it'
  | 'exhausted'
  | 'failures'
  | 'stopped';

export interface Done {
  reason: StopReason;
  /** For people. */
  words: string;
}

/** What happened in a study, in order: enough to make it again. */
export type StudyEvent =
  | { asked: Trial[] }
  | { told: string; outcome: Outcome }
  /** The driver ended it. */
  | { stopped: Done };
