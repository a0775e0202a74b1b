/** What a refinement is made of: plain data, all of it kept in its folder. */
import type { Outcome } from '../study/types.ts';
import type { Gain } from './gain.ts';

/** A prompt that is tried; `v0` is the original. */
export interface Variant {
  /** `v0`, `v1`, …: in the order in which they were proposed. */
  id: string;
  prompt: string;
  /** The round that it was proposed in, from 1; 0 for the original. */
  round: number;
}

/** What happened, in order: enough to make a refinement again. */
export type RefineEvent =
  /** As they came; what becomes of them follows from the spec. */
  { proposed: string[]; notes: string[] } | { told: string; outcome: Outcome } | { stopped: string };

/** How it ended. `better`: confirmed on fresh seeds. */
export interface Verdict {
  kind: 'better' | 'none' | 'stopped';
  /** The one line: `better by 0.31 (0.12 to 0.50)`, `no improvement found`. */
  words: string;
  /** What it rests on, for people. */
  reason: string;
  /** The best variant where it was confirmed, else the original. */
  prompt: string;
  /** The variant that went into the confirmation. */
  candidate: Variant | null;
  /** On fresh seeds; null where nothing was confirmed. */
  gain: Gain | null;
}
