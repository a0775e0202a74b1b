/**
 * A language model behind an address that speaks the chat completions of OpenAI, as Ollama, vLLM, LM Studio and
 * llama.cpp do: a question in, JSON of a schema out. No other address is ever called.
 */
import { z } from 'zod';
import { AssayError, fail } from '../../errors/error.ts';
import { issueInWords } from '../../lib/issue.ts';
import { backoff, pause } from '../../lib/pause.ts';
import type { ProposalCost } from '../../types/proposer.ts';
import { createWire } from './wire.ts';

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
  /**
   * Asks until an answer fits the schema, a few times.
   *
   * @throws ENDPOINT_UNREACHABLE, ENDPOINT_DENIED, ENDPOINT_FAILED, ENDPOINT_UNFIT, ENDPOINT_ANSWER, ENDPOINT_REFUSED,
   *   ENDPOINT_SPENT, and the signal's reason
   */
  ask<T>(messages: readonly Message[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T>;
}

/** Questions sent for one answer. */
const TRIES = 3;
const LONGEST_PAUSE_MS = 60_000;
/** Room for one answer, in tokens: models that think aloud need it. */
const ANSWER_TOKENS = 4096;
/** Fewer are not worth a question. */
const LEAST_TOKENS = 100;
/** As it is for English in most vocabularies. */
const CHARACTERS_A_TOKEN = 4;
const SHOWN = 160;

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

export function createChat(settings: ChatSettings): Chat {
  const { model, maxTokens, retryMs = 500 } = settings;
  const wire = createWire(settings);
  const url = wire.url;
  const cost: ProposalCost = { requests: 0, tokens: 0, isEstimated: false, elapsedMs: 0 };
  const lacking = new Set<string>();

  /** @throws ENDPOINT_SPENT */
  function bodyOf(messages: readonly Message[], schema: z.ZodType): object {
    const room = maxTokens - cost.tokens - sizeOf(messages);
    if (room < LEAST_TOKENS) throw fail('ENDPOINT_SPENT', { url, limit: maxTokens });
    const tokens = Math.min(ANSWER_TOKENS, room);
    const format = { name: 'answer', strict: true, schema: z.toJSONSchema(schema) };
    return {
      ...{ model, messages, stream: false },
      ...(lacking.has('max_tokens') ? { max_completion_tokens: tokens } : { max_tokens: tokens }),
      ...(!lacking.has('response_format') && {
        response_format: { type: 'json_schema', json_schema: format },
      }),
    };
  }

  async function send(
    messages: readonly Message[],
    schema: z.ZodType,
    signal: AbortSignal,
  ): Promise<Reply['choices'][number]> {
    const body = bodyOf(messages, schema);
    const begun = performance.now();
    cost.requests++;
    try {
      const reply = await wire.post(body, replySchema, signal);
      const counted = reply.usage?.total_tokens;
      cost.isEstimated ||= typeof counted !== 'number';
      cost.tokens += counted ?? sizeOf(messages) + sizeOf(reply.choices.map(({ message }) => message));
      return reply.choices[0]!;
    } finally {
      cost.elapsedMs += performance.now() - begun;
    }
  }

  /** Leaves out what the endpoint says it does not know; false when that is not what it says. */
  function adapt({ code, message }: AssayError): boolean {
    const unknown = OPTIONAL.find(({ field, says }) => !lacking.has(field) && says.test(message));
    if (code !== 'ENDPOINT_UNFIT' || !unknown) return false;
    lacking.add(unknown.field);
    return true;
  }

  async function answer(
    messages: readonly Message[],
    schema: z.ZodType,
    signal: AbortSignal,
  ): Promise<Reply['choices'][number]> {
    for (let tries = 1; ; tries++) {
      try {
        return await send(messages, schema, signal);
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        if (adapt(error)) continue;
        if (error.kind !== 'retry' || tries >= TRIES) throw error;
        const wanted = Math.max(error.retryAfterMs ?? 0, backoff(retryMs, tries - 1, LONGEST_PAUSE_MS));
        await pause(Math.min(wanted, LONGEST_PAUSE_MS), signal);
      }
    }
  }

  return {
    ...{ url, model },
    cost: () => ({ ...cost }),
    async ask<T>(messages: readonly Message[], schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
      const asked = [...messages];
      for (let tries = 1; ; tries++) {
        const { message, finish_reason } = await answer(asked, schema, signal);
        const said = message.content ?? '';
        if (message.refusal || finish_reason === 'content_filter')
          throw fail('ENDPOINT_REFUSED', { model, reason: gistOf(message.refusal || said) });
        const read = readAnswer(said, schema);
        if ('value' in read) return read.value;
        const fault = finish_reason === 'length' ? 'it was cut off at the most tokens' : read.fault;
        if (tries === TRIES) throw fail('ENDPOINT_ANSWER', { model, fault, tries, found: gistOf(said) });
        asked.push({ role: 'assistant', content: said.slice(0, 2000) });
        asked.push({ role: 'user', content: `That cannot be read: ${fault}. Answer with the JSON alone.` });
      }
    },
  };
}

const sizeOf = (texts: readonly { content?: string | null | undefined }[]): number =>
  Math.ceil(texts.reduce((sum, { content }) => sum + (content?.length ?? 0), 0) / CHARACTERS_A_TOKEN);

/** For people, on one line. */
const gistOf = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' ? 'nothing' : line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
};

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
