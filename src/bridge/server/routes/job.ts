/** A request for scores, and how it comes: as a body in one of four forms, or as a message of the websocket. */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { fail } from '../../../errors/error.ts';
import type { Policy } from '../../../types/policy.ts';
import type { ScoreItem } from '../../../types/request.ts';
import type { ServerContext } from '../context.ts';
import { isArray, readArray } from '../http/arrays.ts';
import { admitBody } from '../http/body.ts';
import { readValue } from '../http/value.ts';
import { type ItemsBody, toScoreItems } from '../wire/items.ts';
import { checkItemCount, parse } from '../wire/parse.ts';
import {
  idempotencyKey,
  type ScoreBody,
  scoreBody,
  type UploadEntry,
  uploadRequest,
} from '../wire/schemas.ts';
import type { Exchange, SocketForm } from './route.ts';

/** What every job has. */
export interface ItemsJob {
  items: ScoreItem[];
  /** What it is known by when it is sent again. */
  key: string | undefined;
}

export interface Job extends ItemsJob {
  scorer: string | undefined;
  policy: Policy | undefined;
}

/** A kind of job: its message, and the part beside the files of a form. */
export interface JobForm<Body extends ItemsBody, Made extends ItemsJob> {
  body: z.ZodType<Body> & { shape: z.ZodRawShape };
  upload: z.ZodType<Omit<Body, 'items'> & { items: UploadEntry[] }>;
  jobOf(body: Body, context: ServerContext): Made;
}

const TYPES = 'multipart/form-data, application/json, application/msgpack or application/x-npy';

/** Reads such a job. @throws UNSUPPORTED_CONTENT_TYPE, BODY_TOO_LARGE, MALFORMED_BODY, ARRAY_UNFIT, BAD_REQUEST, STALLED */
export const readerOf =
  <Body extends ItemsBody, Made extends ItemsJob>(form: JobForm<Body, Made>) =>
  async (exchange: Exchange): Promise<Made> => {
    const job = form.jobOf(await bodyOf(exchange, form), exchange.context);
    return withKey(job, exchange.request);
  };

async function bodyOf<Body extends ItemsBody, Made extends ItemsJob>(
  exchange: Exchange,
  { body, upload }: JobForm<Body, Made>,
): Promise<Body> {
  const { context, call, request, response } = exchange;
  const { maxItems } = context.config.limits;
  const type = request.headers['content-type'];
  const admitted = () => admitBody(context, call, request, response);
  if (/^multipart\/form-data\b/i.test(type ?? ''))
    return (await context.readUpload(admitted(), response, upload)) as unknown as Body;
  const value = isArray(type) ? await readArray(admitted(), maxItems) : await readValue(exchange, TYPES);
  checkItemCount(value, maxItems);
  return parse(body, value);
}

/** A key may come as a header, too, as HTTP clients that try again by themselves send it. @throws BAD_REQUEST */
function withKey<Made extends ItemsJob>(job: Made, { headers }: IncomingMessage): Made {
  const header = headers['idempotency-key'];
  if (header === undefined) return job;
  const key = parse(idempotencyKey, header, ['Idempotency-Key']);
  if (job.key === undefined || job.key === key) return { ...job, key };
  throw fail('BAD_REQUEST', {
    reason: 'idempotencyKey: it is another one than that of the header Idempotency-Key; expected one key',
  });
}

/** The same as a message of the websocket. */
export const messageOf = <Body extends ItemsBody, Made extends ItemsJob>({
  body,
  jobOf,
}: JobForm<Body, Made>): Omit<SocketForm<Made, Body>, 'op'> => ({
  fields: body.shape,
  itemsIn: ({ items }) => items.length,
  inputOf: jobOf,
});

export const itemsOf = (body: ItemsBody, { config: { allowedDirs, limits } }: ServerContext): ScoreItem[] =>
  toScoreItems(body, { allowedDirs, maxImageBytes: limits.maxImageBytes });

export const scoreForm: JobForm<ScoreBody, Job> = {
  body: scoreBody,
  upload: uploadRequest,
  jobOf: (body, context) => ({
    items: itemsOf(body, context),
    scorer: body.scorer,
    policy: body.policy,
    key: body.idempotencyKey,
  }),
};
