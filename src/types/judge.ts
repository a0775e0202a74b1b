/** Whatever gives scores: what is asked of it, and what it says. */
import type { Aspect, AspectScore } from './aspect.ts';
import type { GuardFinding } from './guard.ts';
import type { Pixels } from './image.ts';
import type { Policy } from './policy.ts';
import type { ScorerStamp } from './scorer.ts';

/** What a judge says of one image. */
export interface Judgement {
  aspects: Record<Aspect, AspectScore | null>;
  /** What the aspects make; guards are not yet in it. */
  reward: number | null;
  /** A finding when the image is foreign to the judge. */
  foreign: GuardFinding[];
  /** What was cut or is not known of the prompt, for people. */
  notes: string[];
  /** Whether the prompt was longer than what is read of it. */
  truncated?: boolean | undefined;
  queueMs: number;
  inferMs: number;
  /** Tokens that a language model elsewhere read and wrote for it, where it tells. */
  tokens?: number | undefined;
}

/** Which images a judge can be asked about; what lies outside trips a guard. */
export interface Domain {
  /** Least pixels on the short side. */
  minSide: number;
  /** Most that the long side may be of the short one. */
  maxAspectRatio: number;
}

/**
 * Whatever gives scores for pixels and a prompt: a scorer in workers of ours, on another machine, or behind a provider.
 * Whoever opened it closes it.
 */
export interface Judge {
  readonly stamp: ScorerStamp;
  readonly domain: Domain;
  /** Thresholds that it proposes where nobody demands any. */
  readonly policy?: Policy | undefined;
  /** Why it cannot judge now; null: it can. */
  readonly fault: string | null;
  /** Whether it runs on a GPU, and could do without; absent: it runs elsewhere. */
  readonly gpu?: 'only' | 'or-cpu' | undefined;
  /** Whether judging asks somebody elsewhere, which costs: what a guard stops is not sent. */
  readonly asksElsewhere?: boolean | undefined;
  /** Told of pixels that will be judged, perhaps, so that it may prepare them. */
  ahead?(pixels: Pixels): void;
  /**
   * Judges one image.
   *
   * @param onCpu on the CPU, where it has the choice
   * @throws PROMPT_REQUIRED, INFERENCE_FAILED, ENDPOINT_UNREACHABLE and its kin, JUDGE_REFUSED, JUDGE_ANSWER, LANGUAGE_ANSWER and its kin, SCORER_RECOVERING, DRAINING, or the signal's reason
   */
  judge(pixels: Pixels, prompt: string | null, signal: AbortSignal, onCpu?: boolean): Promise<Judgement>;
}

/** The judges that there are. */
export interface Judges {
  /** @param name `id` or `id@version`; the default judge when absent. @throws UNKNOWN_SCORER, and what loading throws */
  open(name?: string): Promise<Judge>;
  /** Images that the default judge can have in hand and in work at once. */
  readonly width: number;
}
