/** Step 1, receive: the bytes of a request body, booked as they come, never more than the limit. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AssayError, fail } from '../../../errors/error.ts';
import { orAbort } from '../../../lib/abort.ts';
import type { Parcel } from '../budget.ts';
import type { Call } from '../call.ts';
import type { ServerContext } from '../context.ts';
import { Sink } from '../sink.ts';

export const tooLarge = (maxBytes: number): AssayError => fail('BODY_TOO_LARGE', { maxBytes });

/** Bytes that the sender announces; undefined for a chunked body. */
const announced = (request: IncomingMessage): number | undefined => {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
};

/** A body that is about to come. */
export interface Incoming {
  request: IncomingMessage;
  parcel: Parcel;
  maxBytes: number;
  signal: AbortSignal;
}

/**
 * Prepares for a body: refuses one announced as too large or compressed, and only then tells a client that sent
 * `Expect: 100-continue` to go on. A sender that is too slow aborts the call.
 *
 * @throws BODY_TOO_LARGE, UNSUPPORTED_CONTENT_TYPE
 */
export function admitBody(
  context: ServerContext,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Incoming {
  const maxBytes = context.config.limits.maxBodyBytes;
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw fail('UNSUPPORTED_CONTENT_TYPE', {
      found: `with encoding ${encoding}`,
      expected: 'it without encoding',
    });
  const bytes = announced(request) ?? maxBytes;
  if (bytes > maxBytes) throw tooLarge(maxBytes);
  const parcel = context.budget.open(bytes, (reason) => call.abort(reason));
  call.onEnd(() => parcel.release());
  if (request.headers.expect) response.writeContinue();
  return { request, parcel, maxBytes, signal: call.signal };
}

/** Reads a whole body. @throws as `receive` */
export async function readBody(incoming: Incoming): Promise<Buffer> {
  const sink = new Sink(announced(incoming.request));
  await receive(incoming, (chunk) => sink.add(chunk));
  return sink.take();
}

/**
 * Hands on the chunks of a body, one at a time, as there is room for them. What comes after a refusal is thrown away by the HTTP
 * server, so that the sender can finish and read the answer.
 *
 * @throws BODY_TOO_LARGE, STALLED, or the reason of the signal
 */
export async function receive(
  incoming: Incoming,
  onChunk: (chunk: Buffer) => Promise<unknown> | undefined,
): Promise<void> {
  const { request, parcel, maxBytes, signal } = incoming;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let length = 0;
  const take = (chunk: Buffer): Promise<unknown> | undefined => {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    const waits = [onChunk(chunk), parcel.grow(chunk.length)].filter((wait) => wait !== undefined);
    return waits.length > 0 ? Promise.all(waits) : undefined;
  };
  const onData = (chunk: Buffer) => {
    try {
      const wait = take(chunk);
      if (!wait) return;
      request.pause();
      wait.then(() => request.resume(), reject);
    } catch (error) {
      reject(error);
    }
  };
  request.on('data', onData).once('end', resolve).once('error', reject);
  try {
    await orAbort(promise, signal);
    parcel.complete();
  } finally {
    request.off('data', onData).off('end', resolve).off('error', reject);
    request.resume();
  }
}
