/**
 * A language model behind an address that speaks the chat completions of OpenAI, as Ollama, vLLM, LM Studio and
 * llama.cpp do: a question in, JSON of a schema out. No other address is ever called.
 */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import { issueInWords } from '../../lib/issue.ts';
import type { ProposalCost } from '../../types/proposer.ts';
import { Endpoint } from './endpoint.ts';
import { TRIES } from './patience.ts';
import { createWire, type Wire } from './wire.ts';

export interface ChatSettings {
  /** Of the API, `http://127.0.0.1:11434/v1`, or of its host alone. */
  url: string;
  model: string;
  apiKey?: string | undefined;
  /** Longest time for one answer. */
  timeoutMs: number;
  /** Most tokens read and written, all questions together. */
  maxTokens: number;
  /** First pause before a question is sent again. */
  retryMs?: number;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Chat {
  readonly url: string;
  readonly model: string;
  cost(): ProposalCost;
  /** Makes sure that the endpoint is there and has the model: by its list, else by a question of a word. @throws as `ask` */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Asks until an answer fits the schema, a few times.
   *
   * @throws ENDPOINT_UNREACHABLE, ENDPOINT_DENIED, ENDPOINT_FAILED, ENDPOINT_UNFIT, ENDPOINT_ANSWER, ENDPOINT_REFUSED,
   *   ENDPOINT_SPENT, and the signal's reason
   */
  ask<T>(messages: readonly Message[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T>;
}

/** Room for one answer, in tokens: models that think aloud need it. */
const ANSWER_TOKENS = 4096;
/** Fewer are not worth a question. */
const LEAST_TOKENS = 100;
/** As it is for English in most vocabularies. */
const CHARACTERS_A_TOKEN = 4;

const replySchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ total_tokens: z.number().nullish() }).nullish(),
});
type Reply = z.infer<typeof replySchema>;

/** What an endpoint may not know, and what it says then. */
const OPTIONAL = [
  { field: 'response_format', says: /response_format|json_schema|schema|grammar|structured/i },
  { field: 'max_tokens', says: /max_completion_tokens/ },
] as const;

type Choice = Reply['choices'][number];

/** Questions to one endpoint, what they have cost, and what it does not know. */
class Line implements Chat {
  readonly url: string;
  readonly model: string;
  readonly #settings: ChatSettings;
  readonly #wire: Wire;
  readonly #cost: ProposalCost = { requests: 0, tokens: 0, isEstimated: false, elapsedMs: 0 };
  readonly #endpoint: Endpoint<(typeof OPTIONAL)[number]['field']>;

  constructor(settings: ChatSettings) {
    this.#settings = settings;
    this.#wire = createWire(settings);
    this.#endpoint = new Endpoint({ optional: OPTIONAL, retryMs: settings.retryMs });
    this.url = this.#wire.url;
    this.model = settings.model;
  }

  cost = (): ProposalCost => ({ ...this.#cost });

  async check(signal: AbortSignal): Promise<void> {
    const models = await this.#wire.models(signal);
    // Some call the newest of a model so, and take its bare name.
    if (models?.some((id) => id === this.model || id === `${this.model}:latest`)) return;
    await this.#answer([{ role: 'user', content: 'Answer with {}.' }], z.object({}), signal);
  }

  async ask<T>(messages: readonly Message[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const asked = [...messages];
    for (let tries = 1; ; tries++) {
      const choice = await this.#answer(asked, schema, signal);
      const said = this.#wire.hide(choice.message.content ?? '');
      const read = this.#read(choice, said, schema);
      if ('value' in read) return read.value;
      const { fault } = read;
      if (tries === TRIES)
        throw fail('ENDPOINT_ANSWER', { model: this.model, fault, tries, found: this.#wire.gist(said) });
      asked.push({ role: 'assistant', content: said.slice(0, 2000) });
      asked.push({ role: 'user', content: `That cannot be read: ${fault}. Answer with the JSON alone.` });
    }
  }

  /** @throws ENDPOINT_REFUSED */
  #read<T>(
    { message, finish_reason }: Choice,
    said: string,
    schema: z.ZodType<T>,
  ): { value: T } | { fault: string } {
    if (message.refusal || finish_reason === 'content_filter')
      throw fail('ENDPOINT_REFUSED', { model: this.model, reason: this.#wire.gist(message.refusal || said) });
    const read = readAnswer(said, schema);
    const isCut = 'fault' in read && finish_reason === 'length';
    return isCut ? { fault: 'it was cut off at the most tokens' } : read;
  }

  async #answer(messages: readonly Message[], schema: z.ZodType, signal: AbortSignal): Promise<Choice> {
    const send = () => this.#send(messages, schema, signal);
    return (await this.#endpoint.exchange(send, signal)).reply;
  }

  async #send(messages: readonly Message[], schema: z.ZodType, signal: AbortSignal): Promise<Choice> {
    const body = this.#body(messages, schema);
    const cost = this.#cost;
    const begun = performance.now();
    cost.requests++;
    try {
      const { choices, usage } = await this.#wire.post(body, replySchema, signal);
      const counted = usage?.total_tokens;
      cost.isEstimated ||= typeof counted !== 'number';
      cost.tokens += counted ?? sizeOf(messages) + sizeOf(choices.map(({ message }) => message));
      return choices[0]!;
    } finally {
      cost.elapsedMs += performance.now() - begun;
    }
  }

  /** @throws ENDPOINT_SPENT */
  #body(messages: readonly Message[], schema: z.ZodType): object {
    const { model, maxTokens } = this.#settings;
    const room = maxTokens - this.#cost.tokens - sizeOf(messages);
    if (room < LEAST_TOKENS) throw fail('ENDPOINT_SPENT', { url: this.url, limit: maxTokens });
    const tokens = Math.min(ANSWER_TOKENS, room);
    const format = { name: 'answer', strict: true, schema: z.toJSONSchema(schema) };
    return {
      ...{ model, messages, stream: false },
      ...(this.#endpoint.lacks('max_tokens') ? { max_completion_tokens: tokens } : { max_tokens: tokens }),
      ...(!this.#endpoint.lacks('response_format') && {
        response_format: { type: 'json_schema', json_schema: format },
      }),
    };
  }
}

export const createChat = (settings: ChatSettings): Chat => new Line(settings);

const sizeOf = (texts: readonly { content?: string | null | undefined }[]): number =>
  Math.ceil(texts.reduce((sum, { content }) => sum + (content?.length ?? 0), 0) / CHARACTERS_A_TOKEN);

/** The JSON in an answer: alone, in a fence, or behind thoughts. */
function readAnswer<T>(said: string, schema: z.ZodType<T>): { value: T } | { fault: string } {
  const text = said.replace(/^[\s\S]*<\/think>/, '');
  const json = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { fault: 'it holds no JSON object' };
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? { value: parsed.data } : { fault: issueInWords(parsed.error.issues[0]!) };
}
