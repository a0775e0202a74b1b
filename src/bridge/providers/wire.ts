/** One question to the endpoint of a language model: a deadline, a bounded answer, faults in the words of the table. */
import { z } from 'zod';
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { issueInWords } from '../../lib/issue.ts';
import { gistOfPage } from '../../lib/words.ts';

/** What an API is asked for. */
export interface Service {
  /** Its place, from the address of the API. */
  path: string;
  /** For people. */
  what: string;
  /** Largest answer. */
  maxBytes: number;
}

export const CHAT: Service = {
  ...{ path: 'chat/completions', what: 'a chat completions endpoint', maxBytes: 4 * 2 ** 20 },
};

/** An answer that is no JSON. */
export interface Raw {
  bytes: Uint8Array;
  headers: Headers;
}

export interface Wire {
  /** For people, without what is secret. */
  readonly url: string;
  /** What the other side says, without the key where it repeats that: for all that is kept, passed on or shown. */
  hide(text: string): string;
  /** The same for a message: one short line. */
  gist(text: string): string;
  /** @throws ENDPOINT_UNREACHABLE, ENDPOINT_BUSY, ENDPOINT_DENIED, ENDPOINT_FAILED, ENDPOINT_UNFIT, and the signal's reason */
  post<T>(body: object, schema: z.ZodType<T>, signal: AbortSignal): Promise<T>;
  /** The same where the answer is bytes. */
  postForBytes(body: object, signal: AbortSignal): Promise<Raw>;
  /** The models that it says it has; null where it does not tell. @throws ENDPOINT_UNREACHABLE, ENDPOINT_DENIED */
  models(signal: AbortSignal): Promise<string[] | null>;
}

/** Shorter keys guard nothing, and may be part of any word of an answer; messages are spared them all the same. */
const LEAST_KEY = 8;
/** A fault that is said in JSON is short. */
const MOST_FAULT = 64 * 1024;
/** Worth another try. */
const PASSING = new Set([408, 409, 425]);
const BUSY = 429;
const DENYING = new Set([401, 403]);

/** `http://host:1234`, `…/v1` and `…/v1/chat/completions` all mean the same: that of the API, with a slash. */
function apiOf(given: string, service: string): URL {
  const url = new URL(given);
  const path = url.pathname.replace(/\/+$/, '').replace(new RegExp(`/${service}$`), '');
  url.pathname = `${path === '' ? '/v1' : path}/`;
  return url;
}

/** A place below, or beside, the address of an API; what stands behind a `?` of that stays. */
function placeIn(api: URL, path: string): URL {
  const place = new URL(path, api);
  place.search = api.search;
  return place;
}

/** Milliseconds, from seconds or a date; 0 where it says nothing. */
function retryAfter(response: Response): number {
  const text = response.headers.get('retry-after') ?? '';
  const ms = /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** @param apiKey sent as a bearer token, and never shown, also where the endpoint repeats it */
export function createWire(
  settings: { url: string; apiKey?: string | undefined; timeoutMs: number },
  { path, what, maxBytes }: Service = CHAT,
): Wire {
  const { apiKey, timeoutMs } = settings;
  const api = apiOf(settings.url, path);
  const address = placeIn(api, path);
  const url = `${address.origin}${address.pathname}`;

  const bare = (text: string): string => (apiKey ? text.replaceAll(apiKey, '***') : text);
  const hide = (text: string): string => ((apiKey ?? '').length < LEAST_KEY ? text : bare(text));
  // Hidden before it is cut: of a key that a cut divides, a part would stay.
  const gist = (text: string): string => gistOfPage(bare(spoken(text)));

  /** @param body asks at that address; without one, it is only looked at */
  async function exchange(
    to: URL,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<{ response: Response; bytes: Uint8Array }> {
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(to, {
        method: body ? 'POST' : 'GET',
        headers: {
          ...(body && { 'content-type': 'application/json' }),
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
        // Only the address that was named is called.
        redirect: 'manual',
        signal: AbortSignal.any([signal, deadline]),
      });
      return { response, bytes: await bytesOf(response, maxBytes) };
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof TooLong) throw unfit(cause.message);
      const reason = deadline.aborted ? `no answer within ${timeoutMs} ms` : innermost(cause);
      throw fail('ENDPOINT_UNREACHABLE', { url, reason: gist(reason) }, { cause, retryAfterMs: 0 });
    }
  }

  /** The error of a status that is no answer. */
  function faultOf(response: Response, text: string): AssayError {
    const { status } = response;
    const reason = `status ${status} (${gist(text)})`;
    if (DENYING.has(status)) return fail('ENDPOINT_DENIED', { url, reason });
    if (status === BUSY)
      return fail('ENDPOINT_BUSY', { url, reason }, { retryAfterMs: retryAfter(response) });
    if (status >= 500 || PASSING.has(status))
      return fail('ENDPOINT_FAILED', { url, reason }, { retryAfterMs: retryAfter(response) });
    const to = URL.parse(response.headers.get('location') ?? '', url)?.origin;
    const isElsewhere = status >= 300 && status < 400;
    return unfit(isElsewhere ? `a redirect to ${gist(to ?? 'elsewhere')}, which is not followed` : reason);
  }

  const unfit = (found: string): AssayError => fail('ENDPOINT_UNFIT', { url, what, found });

  async function answer(body: object, signal: AbortSignal): Promise<Raw> {
    signal.throwIfAborted();
    const { response, bytes } = await exchange(address, body, signal);
    if (!response.ok) throw faultOf(response, textIn(bytes));
    return { bytes, headers: response.headers };
  }

  return {
    ...{ url, hide, gist },
    postForBytes: answer,
    async post(body, schema, signal) {
      const { bytes } = await answer(body, signal);
      const text = textIn(bytes);
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        throw unfit(`something that is not JSON: ${gist(text)}`);
      }
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      throw unfit(`JSON of another shape (${gist(issueInWords(parsed.error.issues[0]!))})`);
    },
    async models(signal) {
      signal.throwIfAborted();
      const { response, bytes } = await exchange(placeIn(api, 'models'), undefined, signal);
      const text = textIn(bytes);
      if (DENYING.has(response.status)) throw faultOf(response, text);
      return response.ok ? (modelsIn(text)?.map(hide) ?? null) : null;
    },
  };
}

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

function modelsIn(text: string): string[] | null {
  try {
    return modelsSchema.parse(JSON.parse(text)).data.map(({ id }) => id);
  } catch {
    return null;
  }
}

const errorSchema = z.object({ error: z.union([z.string(), z.object({ message: z.string() })]) });

/** What an answer says went wrong, where it is JSON as such endpoints send it. */
function spoken(text: string): string {
  if (text.length > MOST_FAULT) return text;
  try {
    const { error } = errorSchema.parse(JSON.parse(text));
    return typeof error === 'string' ? error : error.message;
  } catch {
    return text;
  }
}

const textIn = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Would be no shorter the next time. */
class TooLong extends Error {}

async function bytesOf(response: Response, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > maxBytes) throw new TooLong(`an answer of more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

/** `fetch failed` alone says nothing. */
function innermost(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? reasonOf(error) : innermost(cause);
}
