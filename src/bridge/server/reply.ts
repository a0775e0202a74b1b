/** Step 10, reply: answers of HTTP, in the encoding the client accepts. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import type { AssayError } from '../../errors.ts';
import { codecOf, json } from './codec.ts';
import { errorBody, retryAfterMs } from './desk.ts';
import type { Outbox } from './outbox.ts';

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** An object is encoded, text is sent as it is. */
  body: object | string;
}

/** Whole seconds, as the header wants them. */
function retryHeader(error: AssayError): Record<string, string> {
  const wait = retryAfterMs(error);
  return wait === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(wait / 1000))) };
}

export const errorAnswer = (error: AssayError): Answer => ({
  status: error.status,
  headers: { ...retryHeader(error), ...(error.status === 401 ? { 'www-authenticate': 'Bearer' } : {}) },
  body: errorBody(error),
});

/** Bytes handed over at a time, so that it is seen whether the client takes them. */
const PART_BYTES = 2 ** 16;

function* partsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES);
}

/** Sends an answer; does nothing when the client is gone. */
export function send(
  outbox: Outbox,
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, headers, body }: Answer,
): void {
  if (response.destroyed || response.headersSent) return;
  const codec = codecOf(request.headers.accept) ?? json;
  const payload = Buffer.from(typeof body === 'string' ? body : codec.encode(body));
  response.writeHead(status, {
    'content-type': codec.contentType,
    'content-length': payload.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.once('close', outbox.add(request.socket, payload.length));
  if (payload.length <= PART_BYTES) response.end(payload);
  else Readable.from(partsOf(payload)).pipe(response);
}

/** An error answer for a connection that has no ServerResponse: a refused upgrade, or a request that does not parse. */
export function sendRaw(socket: Duplex, error: AssayError, status: string): void {
  if (!socket.writable) return;
  const body = JSON.stringify(errorBody(error));
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries({ ...headers, ...retryHeader(error) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.once('finish', () => socket.destroy()); // nobody else watches over it
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`);
}
