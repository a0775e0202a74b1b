/** Step 1, receive: the bytes of a request body, never more than the limit, never before there is room. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AssayError, fail } from '../../errors.ts';
import type { Call } from './call.ts';
import type { Desk } from './desk.ts';

export const tooLarge = (maxBytes: number): AssayError => fail('BODY_TOO_LARGE', { maxBytes });

/** Bytes that the sender announces; undefined for a chunked body. */
const announced = (request: IncomingMessage): number | undefined => {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
};

/**
 * Prepares for a body: refuses one announced as too large or compressed, waits for room in the byte budget,
 * and only then tells a client that sent `Expect: 100-continue` to go on.
 *
 * @throws BODY_TOO_LARGE, UNSUPPORTED_CONTENT_TYPE
 */
export async function admitBody(
  desk: Desk,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { maxBodyBytes } = desk.config.limits;
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw fail('UNSUPPORTED_CONTENT_TYPE', {
      found: `with encoding ${encoding}`,
      expected: 'it without encoding',
    });
  const bytes = announced(request) ?? maxBodyBytes;
  if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
  call.onEnd(await desk.budget.take(bytes, call.signal));
  if (request.headers.expect) response.writeContinue();
}

/**
 * Reads a whole body. What comes after a refusal is thrown away by the HTTP server, so that the sender can
 * finish and read the answer.
 *
 * @throws BODY_TOO_LARGE, or the reason of the signal
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const sink = createSink(announced(request));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onData = (chunk: Buffer) => {
    if (sink.length + chunk.length > maxBytes) reject(tooLarge(maxBytes));
    else sink.add(chunk);
  };
  const onAbort = () => reject(signal.reason);
  request.on('data', onData).once('end', resolve).once('error', reject);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
    return sink.take();
  } finally {
    request.off('data', onData).off('end', resolve).off('error', reject);
    signal.removeEventListener('abort', onAbort);
  }
}

interface Sink {
  readonly length: number;
  add(chunk: Buffer): void;
  take(): Buffer;
}

/** With a known length the chunks go straight to their place; joining them later would double the peak. */
function createSink(size: number | undefined): Sink {
  const whole = size === undefined ? null : Buffer.allocUnsafeSlow(size);
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(chunk) {
      if (whole) chunk.copy(whole, length);
      else chunks.push(chunk);
      length += chunk.length;
    },
    take: () => (whole ? whole.subarray(0, length) : Buffer.concat(chunks)),
  };
}
