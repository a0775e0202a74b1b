/** What a study is made of: plain data, all of it kept in the study's folder. */

import type { Done, Scored, Stage, StopReason, Trial, Value } from '../../types/study.ts';

export type { Done, Scored, Stage, StopReason, Trial, Value };

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

/** What happened in a study, in order: enough to make it again. */
export type StudyEvent =
  | { asked: Trial[] }
  | { told: string; outcome: Outcome }
  /** The driver ended it. */
  | { stopped: Done }
  /** It is gone on with: trials that failed before it do not end it any more. */
  | { forgiven: string[] };
