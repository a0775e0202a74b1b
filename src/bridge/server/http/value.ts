/** Step 1, receive: a request as one plain value, from its body in one of the two encodings or from its query. */
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import { fail } from '../../../errors/error.ts';
import type { Exchange } from '../routes/route.ts';
import { codecOf } from '../wire/codec.ts';
import { VALUE_BYTES } from '../wire/shape.ts';
import { admitBody, readBody } from './body.ts';

/**
 * Reads and decodes a body; its schema is the caller's.
 *
 * @param expected content types in words, for the error
 * @throws UNSUPPORTED_CONTENT_TYPE, BODY_TOO_LARGE, MALFORMED_BODY, STALLED
 */
export async function readValue(
  { context, call, request, response }: Exchange,
  expected = 'application/json or application/msgpack',
): Promise<unknown> {
  const type = request.headers['content-type'] ?? '(none)';
  const codec = codecOf(type);
  if (!codec) throw fail('UNSUPPORTED_CONTENT_TYPE', { found: type, expected });
  const incoming = admitBody(context, call, request, response);
  const { value, values } = await codec.decode(await readBody(incoming));
  incoming.parcel.complete(VALUE_BYTES * values);
  return value;
}

/** The fields of a query; forms send their empty ones, too, which count as absent. */
export function queryOf({ url = '' }: IncomingMessage): Record<string, string> {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  return Object.fromEntries([...query].filter(([, value]) => value !== ''));
}

/** A part of the path that the route has a name for. */
export const paramOf = (request: IncomingMessage, name: string): string =>
  String((request as Request).params[name]);
