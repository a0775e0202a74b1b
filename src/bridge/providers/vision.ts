/**
 * A model that looks at images behind an address that speaks the chat completions of OpenAI: text, and the
 * probabilities of its tokens where it tells them. No other address is ever called.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { type AssayError, fail } from '../../errors/error.ts';
import { FairQueue } from '../../lib/fair-queue.ts';
import { SharedCache } from '../../lib/shared-cache.ts';
import { gistOf } from '../../lib/words.ts';
import type { Provider, ProviderAnswer, Question, SaidToken } from '../../types/provider.ts';
import { patiently } from './patience.ts';
import { createWire, type Wire } from './wire.ts';

export interface VisionSettings {
  url: string;
  model: string;
  apiKey?: string | undefined;
  /** Longest time for one answer. */
  timeoutMs: number;
  /** Most tokens of one answer. */
  maxTokens: number;
  /** Most questions at once. */
  concurrency: number;
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
const BUSY_TRIES = 10;
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

/** Some deny a model's probabilities as they deny a wrong key. */
const UNKNOWING: ReadonlySet<string> = new Set(['ENDPOINT_UNFIT', 'ENDPOINT_DENIED']);

class Vision implements Provider {
  readonly url: string;
  readonly model: string;
  readonly #settings: VisionSettings;
  readonly #wire: Wire;
  readonly #places: FairQueue;
  readonly #known: SharedCache<ProviderAnswer>;
  readonly #lacking = new Set<string>();

  constructor(settings: VisionSettings) {
    this.#settings = settings;
    this.#wire = createWire(settings);
    this.url = this.#wire.url;
    this.model = settings.model;
    this.#places = new FairQueue(() => settings.concurrency, Number.POSITIVE_INFINITY);
    this.#known = new SharedCache(settings.cache);
  }

  models = (signal: AbortSignal) => this.#wire.models(signal);

  async ask(question: Question, signal: AbortSignal): Promise<ProviderAnswer> {
    const { image, turns } = question;
    const key = hash('sha256', JSON.stringify([this.url, this.model, image.key, turns]));
    let isNew = false;
    const make = (until: AbortSignal) => {
      isNew = true;
      return this.#answer(question, until);
    };
    const answer = await this.#known.get(key, make, signal);
    return isNew ? answer : { ...answer, queueMs: 0, inferMs: 0, cost: 0 };
  }

  async #answer(question: Question, signal: AbortSignal): Promise<ProviderAnswer> {
    const start = performance.now();
    const leave = await this.#places.enter(this.model, signal);
    const queueMs = performance.now() - start;
    try {
      let known = 0;
      const adapt = (error: AssayError) => this.#adapt(error, known);
      const patience = { retryMs: this.#settings.retryMs, busyTries: BUSY_TRIES, adapt };
      const send = () => {
        known = this.#lacking.size;
        return this.#wire.post(this.#body(question), replySchema, signal);
      };
      const read = this.#read(await patiently(send, patience, signal));
      return { ...read, queueMs, inferMs: performance.now() - start - queueMs };
    } finally {
      leave();
    }
  }

  /** @throws JUDGE_REFUSED */
  #read({ choices, usage }: Reply): Omit<ProviderAnswer, 'queueMs' | 'inferMs'> {
    const { message, finish_reason, logprobs } = choices[0]!;
    const text = message.content ?? '';
    if (message.refusal || finish_reason === 'content_filter')
      throw fail('JUDGE_REFUSED', { model: this.model, reason: gistOf(message.refusal || text) });
    const told = logprobs?.content;
    const tokens = told?.length ? told.map(saidToken) : null;
    return { text, tokens, isCut: finish_reason === 'length', cost: usage?.total_tokens ?? undefined };
  }

  #body({ image, turns }: Question): object {
    const { model, maxTokens } = this.#settings;
    const lacks = (field: (typeof OPTIONAL)[number]['field']) => this.#lacking.has(field);
    const url = `data:${image.type};base64,${Buffer.from(image.bytes).toString('base64')}`;
    const first = turns.findIndex(({ role }) => role === 'user');
    const messages = turns.map(({ role, text }, i) => ({
      role,
      content:
        i === first
          ? [
              { type: 'image_url', image_url: { url } },
              { type: 'text', text },
            ]
          : text,
    }));
    return {
      ...{ model, messages, stream: false },
      ...(!lacks('temperature') && { temperature: 0 }),
      ...(lacks('max_tokens') ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
      ...(!lacks('logprobs') && { logprobs: true, top_logprobs: lacks('many') ? FEW : TOP }),
    };
  }

  /**
   * Leaves out what the endpoint says it does not know; false when that is not what it says.
   *
   * @param known how many fields were left out of the question: another one may have taught more since
   */
  #adapt({ code, message }: AssayError, known: number): boolean {
    if (!UNKNOWING.has(code)) return false;
    const said = OPTIONAL.filter(({ says }) => says.test(message));
    if (said.length > 0 && known < this.#lacking.size) return true;
    const unknown = said.find(({ field }) => !this.#lacking.has(field));
    if (!unknown) return false;
    this.#lacking.add(unknown.field);
    return true;
  }
}

const saidToken = (said: {
  token: string;
  logprob: number;
  top_logprobs?: { token: string; logprob: number }[] | null | undefined;
}): SaidToken => ({ token: said.token, logprob: said.logprob, choices: said.top_logprobs ?? [] });

export const createVision = (settings: VisionSettings): Provider => new Vision(settings);
