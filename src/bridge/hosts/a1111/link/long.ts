/** The one long request: it is answered when the run has ended, which may take hours, and nothing limits that. */
import { type IncomingMessage, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { writeJson } from '../../../../lib/python-json.ts';
import type { Address } from '../../link/address.ts';
import { type Reply, retryAfterOf, TooMuch } from '../../link/http.ts';

/** How the connection ended without an answer. */
export class NoAnswer extends Error {
  /** Whether the host may have taken the request. */
  readonly mayBeTaken: boolean;
  constructor(mayBeTaken: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.mayBeTaken = mayBeTaken;
  }
}

/** Of the signs of life of a connection on which nothing is said. */
const KEEP_ALIVE_MS = 30_000;

async function bodyOf(url: string, response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    size += part.length;
    parts.push(part);
    if (size > maxBytes) throw new TooMuch(url, size, parts[0]!);
  }
  if (!response.complete) throw new Error('the answer was cut off');
  return Buffer.concat(parts, size);
}

/** @throws NoAnswer; TooMuch; the abort's reason */
export async function postLong(
  address: Address,
  path: string,
  body: unknown,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Reply> {
  signal.throwIfAborted();
  const url = new URL(address.at(path));
  const text = Buffer.from(writeJson(body));
  const headers = { ...address.headers, 'content-type': 'application/json', 'content-length': text.length };
  // Fetch gives up on headers that do not come within five minutes. A connection of its own, too: one that was kept may be dead.
  const request = (url.protocol === 'https:' ? overHttps : overHttp)(url, {
    ...{ method: 'POST', headers, agent: false, signal },
  });
  let isConnected = false;
  request.on('socket', (socket) => {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      isConnected = true;
    });
  });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', reject);
      request.end(text);
    });
    const retryAfterMs = retryAfterOf(response.headers['retry-after'] ?? null);
    return {
      status: response.statusCode!,
      bytes: await bodyOf(address.base, response, maxBytes),
      retryAfterMs,
    };
  } catch (cause) {
    signal.throwIfAborted();
    throw cause instanceof TooMuch ? cause : new NoAnswer(isConnected, cause);
  } finally {
    request.destroy();
  }
}
