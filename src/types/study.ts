/** What bridges and loops say of a study: what it asks for, what it is told, and what a client sees of it. */
import type { Policy } from './policy.ts';
import type { ScoreItem, ScoreRequest } from './request.ts';
import type { ScoreResult } from './result.ts';

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

/** A study that a client begins. */
export interface StudyPlan {
  /** The client's own name for it: begun again under the same, it is gone on with. One is made up when absent. */
  study?: string | undefined;
  /** As `specSchema` of loops/study/spec.ts says; version and seed may be left out. */
  spec: Readonly<Record<string, unknown>>;
  /** Of images that come without scores; the configured default when absent. */
  scorer?: string | undefined;
  /** What it rejects cannot win. */
  policy?: Policy | undefined;
}

/** One of the best images of a study. */
export interface Winner {
  trial: Trial;
  /** The name that it was told by. */
  image: string;
  /** By the study's pick; higher is better. */
  value: number;
  scored: Scored;
}

export interface StudyState {
  /** Its id. */
  study: string;
  /** With its defaults. */
  spec: Readonly<Record<string, unknown>>;
  /** Null: it goes on. */
  done: Done | null;
  /** Trials asked for so far. */
  asked: number;
  /** Work of those that did not fail, in whole images. */
  spent: number;
  /** Asked for and not told. */
  open: Trial[];
  /** The `keep` best so far, best first. */
  winners: Winner[];
}

export interface StudyAsked {
  /** Fewer than wanted, or none, where results must come first, or it is over. */
  trials: Trial[];
  done: Done | null;
}

/** How a trial ended: images to score, scores, or why there is no image. */
export type Telling = {
  trial: string;
  /** What it is known by when it is sent again. */
  key?: string | undefined;
} & ({ items: ScoreItem[] } | { images: readonly Scored[] } | { failed: { code: string; message: string } });

export interface StudyTold {
  /** Of images that came to be scored, in their order. Empty when they were told before. */
  results: ScoreResult[];
  /** Whether this trial was told before, so that nothing has changed. */
  again: boolean;
  done: Done | null;
}

/** Studies that clients drive; kept in the data folder, they survive the daemon. */
export interface Studies {
  /** @throws STUDY_INVALID, STUDY_TAKEN, STUDIES_FULL, STUDY_HELD, OUTPUT_UNWRITABLE, UNKNOWN_SCORER */
  begin(plan: StudyPlan): Promise<StudyState>;
  /**
   * What to try next, at most `n`.
   *
   * @param held trials that the caller has in work: other open ones come before new ones. Absent: new ones alone
   * @throws STUDY_UNKNOWN
   */
  ask(id: string, n: number, held?: readonly string[]): StudyAsked;
  /**
   * One that is told again, under the same key or with the same outcome, counts once.
   *
   * @throws STUDY_UNKNOWN, TRIAL_UNKNOWN, TRIAL_TOLD, and what keeps images from being scored now
   */
  tell(
    id: string,
    telling: Telling,
    asker: Pick<ScoreRequest, 'client' | 'patienceMs' | 'signal'>,
  ): Promise<StudyTold>;
  /** @throws STUDY_UNKNOWN */
  state(id: string): StudyState;
}
