/** A request for scores, and how it comes: as a body in one of three forms, or as a message of the websocket. */
import type { IncomingMessage } from 'node:http';
import type { Policy, ScoreItem } from '../../../types.ts';
import type { ServerContext } from '../context.ts';
import { admitBody } from '../http/body.ts';
import { readValue } from '../http/value.ts';
import { toScoreItems } from '../wire/items.ts';
import { checkItemCount, parse } from '../wire/parse.ts';
import { idempotencyKey, type ScoreBody, scoreBody } from '../wire/schemas.ts';
import type { Exchange, SocketForm } from './route.ts';

export interface Job {
  items: ScoreItem[];
  scorer: string | undefined;
  policy: Policy | undefined;
  key: string | undefined;
}

const TYPES = 'multipart/form-data, application/json or application/msgpack';

/** @throws UNSUPPORTED_CONTENT_TYPE, BODY_TOO_LARGE, MALFORMED_BODY, BAD_REQUEST, STALLED */
export async function readJob(exchange: Exchange): Promise<Job> {
  return withKey(jobOf(await readScoreBody(exchange), exchange.context), exchange.request);
}

/** A key may come as a header, too, as HTTP clients that try again by themselves send it. @throws BAD_REQUEST */
export function withKey<J extends Pick<Job, 'key'>>(job: J, { headers }: IncomingMessage): J {
  const header = headers['idempotency-key'];
  return header === undefined ? job : { ...job, key: parse(idempotencyKey, header, ['Idempotency-Key']) };
}

async function readScoreBody({ context, call, request, response }: Exchange): Promise<ScoreBody> {
  if (/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? ''))
    return await context.readUpload(admitBody(context, call, request, response), response);
  const value = await readValue({ context, call, request, response }, TYPES);
  checkItemCount(value, context.config.limits.maxItems);
  return parse(scoreBody, value);
}

const jobOf = (body: ScoreBody, { config: { allowedDirs, limits } }: ServerContext): Job => ({
  items: toScoreItems(body, { allowedDirs, maxImageBytes: limits.maxImageBytes }),
  scorer: body.scorer,
  policy: body.policy,
  key: body.idempotencyKey,
});

/** The same as a message of the websocket. */
export const messageOfJob: Omit<SocketForm<Job, ScoreBody>, 'op'> = {
  fields: scoreBody.shape,
  itemsIn: ({ items }) => items.length,
  inputOf: jobOf,
};
