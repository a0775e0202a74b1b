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
  /** Where in the text the image stands. */
  imageAt?: number | undefined;
}

export interface Question {
  image: SentImage;
  /** The conversation; where no turn says where the image stands, it is before the first words of the user. */
  turns: readonly Turn[];
}

/** One token of an answer, and what could have stood in its place. */
export interface SaidToken {
  token: string;
  /** The likeliest ones with their natural logarithms of probability; the one that was said may be absent. */
  choices: readonly { token: string; logprob: number }[];
  logprob: number;
}

/** What asking took. */
export interface Spent {
  /** Milliseconds that were waited for a place among the questions, and for the answer; 0 for one that is remembered. */
  queueMs: number;
  inferMs: number;
  /** Tokens read and written, where they are told; 0 for an answer that is remembered. */
  cost: number | undefined;
}

export interface ProviderAnswer extends Spent {
  text: string;
  /** Null where the provider tells no probabilities. */
  tokens: readonly SaidToken[] | null;
  /** Whether it was cut off at the most tokens. */
  isCut: boolean;
}

/** Throws where whoever asked can make no use of an answer: asked again, the model may give another. */
export type Check<T> = (answer: T) => void;

/** A language model elsewhere, whatever it is asked for. */
interface Elsewhere {
  /** For people, without what is secret. */
  readonly url: string;
  readonly model: string;
  /** The models that it says it has; null where it does not tell. @throws ENDPOINT_UNREACHABLE, ENDPOINT_DENIED */
  models(signal: AbortSignal): Promise<string[] | null>;
}

/** Given an image and a conversation: text, and probabilities of its tokens where it tells them. */
export interface Provider extends Elsewhere {
  /**
   * Answers the last turn.
   *
   * @throws ENDPOINT_UNREACHABLE, ENDPOINT_BUSY, ENDPOINT_DENIED, ENDPOINT_FAILED, ENDPOINT_UNFIT, JUDGE_REFUSED, what
   *   the check throws, and the signal's reason
   */
  ask(question: Question, signal: AbortSignal, check?: Check<ProviderAnswer>): Promise<ProviderAnswer>;
}

/** `mean`: one row, the mean over all positions; `none`: a row a position. */
export type Pool = 'mean' | 'none';

export interface StatesQuestion extends Question {
  pool: Pool;
  /** Rows that are wanted at most; all of them when absent. */
  maxPositions?: number | undefined;
}

/** Hidden states of the last layer after its norm, row by row. */
export interface States extends Spent {
  data: Float32Array;
  rows: number;
  width: number;
  /** Positions of the whole conversation, where they are told. */
  positions: number | undefined;
}

/** Given an image and a conversation: what the model holds of it, before it says a word. */
export interface StatesProvider extends Elsewhere {
  /**
   * What stands at each position of the conversation, of which nothing is left to be answered.
   *
   * @throws as `Provider.ask`, LANGUAGE_TOO_LONG where the conversation is longer than the model reads, LANGUAGE_STATES
   *   where what comes is no hidden states
   */
  states(question: StatesQuestion, signal: AbortSignal, check?: Check<States>): Promise<States>;
}

/** The language model of one scorer. */
export interface LanguageModel {
  states: StatesProvider;
  /** For turns that the model is to answer first. */
  chat: Provider;
  /** Most questions at once. */
  concurrency: number;
}
