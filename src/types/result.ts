/** What is answered: the verdict on each image. */
import type { Aspect, AspectScore } from './aspect.ts';
import type { GuardFinding } from './guard.ts';
import type { Colour } from './image.ts';
import type { Decision } from './policy.ts';
import type { PromptSource } from './prompt.ts';
import type { ScorerStamp } from './scorer.ts';

/** Milliseconds spent on one item. */
export interface Timings {
  /** Decoding and guards. */
  decodeMs: number;
  /** Waiting for its turn and for its batch. */
  queueMs: number;
  /** The batch that the image was part of. */
  inferMs: number;
  totalMs: number;
  /** What was done about a host that made images on the same GPU; absent when none did. */
  whileSampling?: 'waited' | 'cpu' | 'shared' | undefined;
  /** Tokens that a language model elsewhere read and wrote for it; absent where none did, or does not tell. */
  tokens?: number | undefined;
}

export interface ItemError {
  code: string;
  message: string;
}

/** The verdict on one image. Exactly one of `aspects` and `error` is set. */
export interface ScoreResult {
  id: string;
  source: string | null;
  /** Hex digest of the bytes as received; null when nothing was received. */
  sha256: string | null;
  width: number | null;
  height: number | null;
  /** That of the item; absent when it has none. */
  group?: string | undefined;
  /** The words that were judged; null when there are none. */
  prompt: string | null;
  /** Null when no prompt was given and none looked for. */
  promptSource: PromptSource | null;
  scorer: ScorerStamp | null;
  aspects: Record<Aspect, AspectScore | null> | null;
  /** 0..1, higher is better; null when a guard tripped or the item failed. */
  reward: number | null;
  guards: GuardFinding[];
  decision: Decision | null;
  /** Why the decision is what it is, for people. */
  reasons: string[];
  /** What was cut, guessed, skipped or not applied, for people. */
  notes: string[];
  /** True when the scorer read only the beginning of the prompt. */
  truncated?: boolean | undefined;
  /** When it was asked for, and pixels were seen. */
  colour?: Colour | undefined;
  timings: Timings | null;
  error: ItemError | null;
}

/** Results of one prompt's images, best first. */
export interface RankResult {
  results: ScoreResult[];
  /** Indexes into `results`, best first; items without a reward come last, in request order. */
  order: number[];
  /** `order[0]`, or null when no item has a reward. */
  best: number | null;
}
