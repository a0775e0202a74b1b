/** What it means when a request is not answered with pictures. */
import { z } from 'zod';
import { type AssayError, fail } from '../../../../errors/error.ts';
import { nearest } from '../../../../errors/nearest.ts';
import { gistOf as shortOf } from '../../../../lib/words.ts';
import { gistOf, type Http, type Reply, textOf, unknownHost } from '../../link/http.ts';
import type { Request } from '../workflow/request.ts';
import type { Fork } from './fork.ts';

const place = z.array(z.union([z.string(), z.number()]));
const complaint = z.looseObject({ loc: place.catch([]), msg: z.string() });

const refusedSchema = z.looseObject({
  detail: z
    .union([z.string(), z.array(complaint)])
    .optional()
    .catch(undefined),
  error: z.string().optional().catch(undefined),
  errors: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

type Refused = z.infer<typeof refusedSchema>;

function read(reply: Reply): Refused {
  try {
    return refusedSchema.parse(JSON.parse(textOf(reply)));
  } catch {
    return {};
  }
}

function wordsOf(reply: Reply): string {
  const { detail, error, errors, message } = read(reply);
  if (Array.isArray(detail))
    return shortOf(detail.map(({ loc, msg }) => `${loc.slice(1).join('.')}: ${msg}`).join('; '));
  const parts = [error, detail, errors, message].filter((part) => part !== undefined && part !== '');
  return parts.length > 0 ? shortOf([...new Set(parts)].join(': ')) : gistOf(reply);
}

/** Fields that no host would miss: most are ignored in silence. @throws WORKFLOW_REJECTED */
export function checkFields(fork: Fork, { route, body }: Request): void {
  const known = fork.fields(route);
  if (!known) return;
  const field = Object.keys(body).find((name) => !known.has(name));
  if (field === undefined) return;
  const near = nearest(field, [...known]);
  const hint = near ? `, did you mean "${near}"?` : '';
  throw fail('WORKFLOW_REJECTED', {
    host: fork.name,
    reason: `it has no field "${field}" in ${route}${hint}`,
  });
}

const NO_ENTRY = [401, 403];
/** Of these the same request would end in the same again. */
const REFUSING = [400, 404, 405, 413, 415, 422];

/** What keeps a request from being run at all; undefined when it was. */
export function refusalOf(http: Http, { route }: Request, reply: Reply): AssayError | undefined {
  const { status } = reply;
  const { url } = http;
  if (NO_ENTRY.includes(status)) return fail('HOST_DENIED', { url, status, reason: gistOf(reply) });
  if (status === 404 && read(reply).detail === 'Not Found')
    return fail('HOST_API_OFF', { url, reason: `it has no route /sdapi/v1/${route}` });
  if (REFUSING.includes(status))
    return fail('WORKFLOW_REJECTED', { host: http.expected, reason: `${route}: ${wordsOf(reply)}` });
  if (status === 502 || status === 503 || status === 504 || status === 429)
    return fail('HOST_FAILED', { url, reason: `status ${status} (${gistOf(reply)})` });
  if (status >= 300 && status < 400) return unknownHost(http, `it answers ${route} with a redirect`);
  return undefined;
}

/** Why a run ended without a picture; null when it did not. */
export const faultOf = (reply: Reply): string | null =>
  reply.status === 200 ? null : `status ${reply.status}: ${wordsOf(reply)}`;
