/** What a study is made of: plain data, all of it kept in the study's folder. */

import type { Done, Scored, Stage, StopReason, Trial, Value } from '../../types/study.ts';

export type { Done, Scored, Stage, StopReason, Trial, Value };

/** What a preview of a trial was worth, at a step of the sampling. */
export interface Preview {
  /** The node that samples. */
  node: string;
  /** From 1, of so many of that node. */
  step: number;
  of: number;
  /** Share of all sampling steps that are done by then, 0..1. */
  share: number;
  /** By name of the measure, as of an image; they say nothing of the finished one by themselves. */
  values: Readonly<Record<string, number | null>>;
  /** Width and height in pixels, where it is measured what previews tell. */
  size?: readonly [number, number] | undefined;
  /** Whether the trial is not worth going on with, by this. */
  stops?: boolean | undefined;
}

/** A trial that was stopped early. `share`: of its work that was done, 0..1. */
export interface Pruned {
  preview: Preview;
  share: number;
}

/** How a trial ended. `elapsedMs`: the time that the study had taken by then, pauses left out. */
export type Outcome =
  | { images: readonly Scored[]; elapsedMs: number }
  | { pruned: Pruned; elapsedMs: number }
  | { failed: { code: string; message: string }; elapsedMs: number };

/** A trial and how it ended; null: not yet. */
export interface TrialState {
  trial: Trial;
  outcome: Outcome | null;
  /** What its previews were worth, in the order of its steps. */
  previews?: readonly Preview[];
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

/** What happened in a study, in order: enough to make it again. */
export type StudyEvent =
  | { asked: Trial[] }
  | { told: string; outcome: Outcome }
  /** A preview of a trial that is open was scored. */
  | { previewed: string; preview: Preview }
  /** The driver ended it. */
  | { stopped: Done }
  /** It is gone on with: trials that failed before it do not end it any more. */
  | { forgiven: string[] };
