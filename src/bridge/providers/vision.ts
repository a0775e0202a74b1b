/**
 * A model that looks at images behind an address that speaks the chat completions of OpenAI: text, and the
 * probabilities of its tokens where it tells them. No other address is ever called.
 */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import type { Check, Provider, ProviderAnswer, Question, SaidToken } from '../../types/provider.ts';
import { Endpoint } from './endpoint.ts';
import { messagesOf } from './messages.ts';
import { Remembered } from './remembered.ts';
import { createWire, type Wire } from './wire.ts';

export interface VisionSettings {
  url: string;
  /** Its name there; absent: the one that it has. */
  model?: string | undefined;
  apiKey?: string | undefined;
  /** Longest time for one answer. */
  timeoutMs: number;
  /** Most tokens of one answer. */
  maxTokens: number;
  /** Most questions at once. */
  concurrency: number;
  /** Whether the probabilities of its tokens are asked for; they are when absent. */
  probabilities?: boolean;
  /** Answers remembered; 0: none. */
  cache: number;
  /** First pause before a question is sent again. */
  retryMs?: number;
}

const token = z.object({ token: z.string(), logprob: z.number() });

const replySchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
        logprobs: z
          .object({ content: z.array(token.extend({ top_logprobs: z.array(token).nullish() })).nullish() })
          .nullish(),
      }),
    )
    .min(1),
  usage: z.object({ total_tokens: z.int().min(0).nullish() }).nullish(),
});
type Reply = z.infer<typeof replySchema>;

/** A busy endpoint is waited for: images are many, and none is lost to a limit of requests a minute. */
export const BUSY_TRIES = 10;
/** As many as OpenAI and vLLM give; some give fewer. */
const TOP = 20;
const FEW = 5;

/** What an endpoint may not know, in the order of trying, and what it says then. */
const OPTIONAL = [
  { field: 'many', says: /top_?logprobs/i },
  { field: 'logprobs', says: /logprob/i },
  { field: 'max_tokens', says: /max_completion_tokens/ },
  { field: 'temperature', says: /temperature/i },
] as const;

type Field = (typeof OPTIONAL)[number]['field'];

class Vision implements Provider {
  readonly url: string;
  readonly model: string;
  readonly #settings: VisionSettings;
  readonly #wire: Wire;
  readonly #endpoint: Endpoint<Field>;
  readonly #known: Remembered<ProviderAnswer>;

  constructor(settings: VisionSettings) {
    this.#settings = settings;
    this.#wire = createWire(settings);
    this.url = this.#wire.url;
    this.model = settings.model ?? 'the language model';
    const { concurrency, retryMs, cache } = settings;
    this.#endpoint = new Endpoint({ optional: OPTIONAL, concurrency, retryMs, busyTries: BUSY_TRIES });
    this.#known = new Remembered(cache);
  }

  models = (signal: AbortSignal) => this.#wire.models(signal);

  ask(question: Question, signal: AbortSignal, check?: Check<ProviderAnswer>): Promise<ProviderAnswer> {
    const { image, turns } = question;
    const make = (until: AbortSignal) => this.#answer(question, until);
    return this.#known.get([this.url, this.#settings.model ?? '', image.key, turns], make, signal, check);
  }

  async #answer(question: Question, signal: AbortSignal): Promise<ProviderAnswer> {
    const send = () => this.#wire.post(this.#body(question), replySchema, signal);
    const { reply, ...times } = await this.#endpoint.exchange(send, signal);
    return { ...this.#read(reply), ...times };
  }

  /** @throws JUDGE_REFUSED */
  #read({ choices, usage }: Reply): Omit<ProviderAnswer, 'queueMs' | 'inferMs'> {
    const { message, finish_reason, logprobs } = choices[0]!;
    const text = this.#wire.hide(message.content ?? '');
    if (message.refusal || finish_reason === 'content_filter')
      throw fail('JUDGE_REFUSED', { model: this.model, reason: this.#wire.gist(message.refusal || text) });
    const told = logprobs?.content;
    const tokens = told?.length ? told.map(saidToken) : null;
    return { text, tokens, isCut: finish_reason === 'length', cost: usage?.total_tokens ?? undefined };
  }

  #body(question: Question): object {
    const { model, maxTokens, probabilities = true } = this.#settings;
    const lacks = (field: Field) => this.#endpoint.lacks(field);
    return {
      ...{ model, messages: messagesOf(question), stream: false },
      ...(!lacks('temperature') && { temperature: 0 }),
      ...(lacks('max_tokens') ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
      ...(probabilities && !lacks('logprobs') && { logprobs: true, top_logprobs: lacks('many') ? FEW : TOP }),
    };
  }
}

const saidToken = (said: {
  token: string;
  logprob: number;
  top_logprobs?: { token: string; logprob: number }[] | null | undefined;
}): SaidToken => ({ token: said.token, logprob: said.logprob, choices: said.top_logprobs ?? [] });

export const createVision = (settings: VisionSettings): Provider => new Vision(settings);
