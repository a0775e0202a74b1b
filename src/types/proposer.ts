/** Whoever writes other versions of a prompt: rules of ours, or a language model elsewhere. */

/** A prompt that was tried. */
export interface Attempt {
  prompt: string;
  /** Mean of its images' values, in the unit of the measure; null when it has none. */
  value: number | null;
  /** How much better than the original on the same seeds, on average; null for the original, and where it is not known. */
  gain: number | null;
  /** Seeds that it was made with. */
  seeds: number;
  /** For people and models: what its images are like beside those of the original; empty when there is nothing to say. */
  critique: string;
}

/** What is known of the versions so far. */
export interface History {
  /** What the images are judged by, and what must stay in every version. */
  original: string;
  /** Words of it that versions must have. */
  words: readonly string[];
  /** Name of the measure, for people. */
  measure: string;
  /** The original first, then the best first. */
  attempts: readonly Attempt[];
  /** What was proposed and not tried, and why. */
  refused: readonly { prompt: string; reason: string }[];
}

export interface Proposal {
  prompts: string[];
  /** What went wrong and was survived, for people. */
  notes: string[];
}

/** What proposals have cost. */
export interface ProposalCost {
  requests: number;
  /** Read and written by the model. */
  tokens: number;
  /** Whether the endpoint did not count them, so that they are estimated from the length of the texts. */
  isEstimated: boolean;
  elapsedMs: number;
}

export interface Proposer {
  /** For people. */
  readonly name: string;
  /** So far; null when it costs nothing. */
  cost(): ProposalCost | null;
  /** Makes sure that it can be asked, at next to no cost; absent where it always can. @throws errors of the endpoint */
  check?(signal: AbortSignal): Promise<void>;
  /**
   * About `n` versions, which may repeat earlier ones or miss words: whoever asks sorts them out.
   *
   * @throws errors of the endpoint, and the signal's reason
   */
  propose(history: History, n: number, signal: AbortSignal): Promise<Proposal>;
}
