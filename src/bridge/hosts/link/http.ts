/** Requests to the host: a deadline each, bounded answers, and faults in the words of the error table. */
import type { ZodType } from 'zod';
import { AssayError, fail, reasonOf } from '../../../errors/error.ts';
import { issueInWords } from '../../../lib/issue.ts';
import { backoff, pause } from '../../../lib/pause.ts';
import { parseJson, writeJson } from '../../../lib/python-json.ts';
import { gistOfPage } from '../../../lib/words.ts';
import type { Tuning } from '../tuning.ts';
import type { Address } from './address.ts';

export interface Reply {
  status: number;
  bytes: Uint8Array;
  /** Milliseconds that a host with too much to do asks to wait; null when it does not say. */
  retryAfterMs: number | null;
  /** The other address that gave the answer, after a redirect. */
  from?: string | undefined;
}

/** An answer that grew beyond its limit: a fault of the host, unless it is one that may be left out. `bytes` is its size as announced, or as far as it came. */
export class TooMuch extends AssayError {
  readonly bytes: number;
  /** Its beginning. */
  readonly head: string;
  constructor(url: string, bytes: number, start: Uint8Array) {
    super('HOST_FAILED', { url, reason: `the answer has ${bytes} bytes` });
    this.bytes = bytes;
    this.head = new TextDecoder().decode(start.subarray(0, HEAD_BYTES));
  }
}

/** As much of an answer as tells what it is. */
const HEAD_BYTES = 300;

export interface HttpOptions {
  address: Address;
  /** The host that should answer, for people. */
  expected: string;
  /** Largest answer. */
  maxBytes: number;
  tuning: Tuning;
}

export interface Http {
  readonly url: string;
  readonly expected: string;
  /**
   * Repeats after a fault that may pass, and for as long as a host that has too much to do is waited for. Any status
   * but that of a failing server comes back. @throws TooMuch
   */
  get(path: string, maxBytes: number, signal: AbortSignal): Promise<Reply>;
  /** JSON of a route that every such host has. @throws HOST_UNKNOWN when it does not fit the schema */
  getJson<T>(path: string, schema: ZodType<T>, signal: AbortSignal): Promise<T>;
  /** The same of an answer with a limit of its own. @throws HOST_UNKNOWN, TooMuch */
  getJsonWithin<T>(path: string, schema: ZodType<T>, maxBytes: number, signal: AbortSignal): Promise<T>;
  /** Once, whatever happens. Any status comes back but those of a login or a failing server. */
  post(path: string, body: unknown, signal: AbortSignal): Promise<Reply>;
}

const TRIES = 3;
/** A server behind a proxy that is not there for the moment. */
const PASSING = new Set([502, 503, 504]);
const DENYING = new Set([401, 403]);
const TOO_MANY = 429;
/** Between two requests to a host that limits them, where it names no time. */
const LIMITED_MS = 1000;

export const textOf = (reply: Reply): string => new TextDecoder().decode(reply.bytes);

/** What an answer says, short enough for a message. */
export const gistOf = (reply: Reply): string => gistOfPage(textOf(reply));

export function createHttp({ address, expected, maxBytes, tuning }: HttpOptions): Http {
  const url = address.base;

  async function ask(path: string, init: RequestInit, limit: number, signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(tuning.requestMs);
    const headers = { ...address.headers, ...init.headers };
    try {
      const response = await fetch(address.at(path), {
        ...init,
        headers,
        redirect: address.isSecret ? 'manual' : 'follow',
        signal: AbortSignal.any([signal, deadline]),
      });
      if (response.status >= 300 && response.status < 400) throw elsewhere(path, response);
      const retryAfterMs = retryAfterOf(response.headers.get('retry-after'));
      const { status } = response;
      const from = placeOf(response, address.at(path));
      return { status, bytes: await readBody(url, response, limit), retryAfterMs, from };
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof AssayError) throw cause;
      const reason = deadline.aborted ? `no answer within ${tuning.requestMs} ms` : networkReason(cause);
      throw fail('HOST_UNREACHABLE', { url, reason }, { cause });
    }
  }

  /** What is sent along is for this host alone. */
  function elsewhere(path: string, response: Response): AssayError {
    void response.body?.cancel();
    const to = URL.parse(response.headers.get('location') ?? '', url)?.origin ?? 'elsewhere';
    return unknownHost(
      http,
      `it answers ${path} with a redirect to ${to}, which is not followed with a token`,
    );
  }

  function check(reply: Reply): Reply {
    if (reply.status >= 500)
      throw fail('HOST_FAILED', { url, reason: `status ${reply.status} (${gistOf(reply)})` });
    return reply;
  }

  const deny = (reply: Reply) => fail('HOST_DENIED', { url, status: reply.status, reason: gistOf(reply) });

  /** Asks again while the host says that there were too many requests. */
  async function patiently(path: string, limit: number, signal: AbortSignal): Promise<Reply> {
    const end = performance.now() + tuning.patienceMs;
    for (;;) {
      const reply = await ask(path, {}, limit, signal);
      const pauseMs = reply.retryAfterMs ?? LIMITED_MS;
      if (reply.status !== TOO_MANY || performance.now() + pauseMs > end) return reply;
      await pause(pauseMs, signal);
    }
  }

  const http: Http = {
    url,
    expected,
    async get(path, limit, signal) {
      for (let tries = 1; ; tries++) {
        try {
          const reply = await patiently(path, limit, signal);
          if (tries === TRIES || !PASSING.has(reply.status)) return check(reply);
        } catch (error) {
          if (tries === TRIES || !isBroken(error)) throw error;
        }
        await pause(backoff(tuning.retryMs, tries - 1, tuning.requestMs), signal);
      }
    },
    getJson: (path, schema, signal) => http.getJsonWithin(path, schema, maxBytes, signal),
    async getJsonWithin(path, schema, limit, signal) {
      const reply = await http.get(path, limit, signal);
      if (DENYING.has(reply.status)) throw deny(reply);
      if (reply.status !== 200)
        throw unknownHost(http, `it answers ${told(path, reply)} with status ${reply.status}`);
      return parseReply(http, path, reply, schema);
    },
    async post(path, body, signal) {
      const headers = { 'content-type': 'application/json' };
      const init = { method: 'POST', body: writeJson(body), headers };
      const reply = check(await ask(path, init, maxBytes, signal));
      if (DENYING.has(reply.status)) throw deny(reply);
      return reply;
    },
  };
  return http;
}

/** A connection that could not be made or broke: worth another try, unlike a wait that was long already. */
const isBroken = (error: unknown): boolean =>
  error instanceof AssayError &&
  error.code === 'HOST_UNREACHABLE' &&
  (error.cause as Error).name !== 'TimeoutError';

type Asked = Pick<Http, 'url' | 'expected'>;

export const unknownHost = ({ url, expected }: Asked, found: string, cause?: unknown): AssayError =>
  fail('HOST_UNKNOWN', { url, expected, found }, cause === undefined ? {} : { cause });

/** Where a redirect led; undefined when it led to the same host. */
function placeOf({ url }: Response, asked: string | URL): string | undefined {
  const { origin } = new URL(url);
  return origin === new URL(asked).origin ? undefined : origin;
}

/** What was asked for, and who answered in its place. */
const told = (path: string, { from }: Reply): string =>
  from === undefined ? path : `${path}, by a redirect to ${from},`;

/** Seconds, or a date. */
export function retryAfterOf(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header.trim()) ? 1000 * Number(header) : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** @throws HOST_UNKNOWN */
export function parseReply<T>(http: Asked, path: string, reply: Reply, schema: ZodType<T>): T {
  let value: unknown;
  try {
    value = parseJson(textOf(reply));
  } catch (cause) {
    throw unknownHost(http, `it answers ${told(path, reply)} with something that is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unknownHost(
    http,
    `its answer to ${told(path, reply)} has another shape (${issueInWords(parsed.error.issues[0]!)})`,
  );
}

/** @throws TooMuch as soon as it is known */
async function readBody(url: string, response: Response, limit: number): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? 0);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    parts.push(part);
    if (Math.max(size, announced) > limit) throw new TooMuch(url, Math.max(size, announced), parts[0]!);
  }
  return Buffer.concat(parts, size);
}

/** The innermost reason: `fetch failed` alone says nothing. */
export function networkReason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? reasonOf(error) : networkReason(cause);
}
