/** A language model elsewhere that looks at images: what it is asked, and what it gives. */

/** An image as it is sent. */
export interface SentImage {
  type: 'image/png';
  bytes: Uint8Array;
  /** What it is known by: equal keys, equal bytes. */
  key: string;
}

export interface Turn {
  role: 'system' | 'user' | 'assistant';
  text: string;
}

export interface Question {
  image: SentImage;
  /** The conversation; the image stands before the first words of the user. */
  turns: readonly Turn[];
}

/** One token of an answer, and what could have stood in its place. */
export interface SaidToken {
  token: string;
  /** The likeliest ones with their natural logarithms of probability; the one that was said may be absent. */
  choices: readonly { token: string; logprob: number }[];
  logprob: number;
}

export interface ProviderAnswer {
  text: string;
  /** Null where the provider tells no probabilities. */
  tokens: readonly SaidToken[] | null;
  /** Whether it was cut off at the most tokens. */
  isCut: boolean;
  /** Milliseconds that were waited for a place among the questions, and for the answer; 0 for one that is remembered. */
  queueMs: number;
  inferMs: number;
  /** Tokens read and written, where they are told; 0 for an answer that is remembered. */
  cost: number | undefined;
}

/**
 * Given an image and a conversation: text, probabilities of tokens, or hidden states. What one cannot give, it says: no
 * tokens in its answers, no `hiddenStates`.
 */
export interface Provider {
  /** For people, without what is secret. */
  readonly url: string;
  readonly model: string;
  /**
   * Answers the last turn.
   *
   * @throws ENDPOINT_UNREACHABLE, ENDPOINT_BUSY, ENDPOINT_DENIED, ENDPOINT_FAILED, ENDPOINT_UNFIT, JUDGE_REFUSED, and
   *   the signal's reason
   */
  ask(question: Question, signal: AbortSignal): Promise<ProviderAnswer>;
  /** The last hidden states of image and conversation, `[positions][width]`; absent where there are none to be had. */
  hiddenStates?(question: Question, signal: AbortSignal): Promise<Float32Array[]>;
  /** The models that it says it has; null where it does not tell. @throws ENDPOINT_UNREACHABLE, ENDPOINT_DENIED */
  models(signal: AbortSignal): Promise<string[] | null>;
}
