/** Which of the family answers, and what it can do: told by its own description of its routes. */
import { z } from 'zod';
import { type AssayError, fail } from '../../../../errors/error.ts';
import { type Http, parseReply, unknownHost } from '../../link/http.ts';
import type { Route } from '../workflow/request.ts';
import { readNow } from './now.ts';

export interface Fork {
  /** Forks that have the same routes cannot be told apart: reForge is an AUTOMATIC1111, Forge Classic a Forge. */
  name: 'AUTOMATIC1111' | 'Forge' | 'SD.Next';
  /** Its own routes, by path; null when it does not describe them. */
  routes: ReadonlySet<string> | null;
  /** Fields of a request; null when it does not describe them. */
  fields(route: Route): ReadonlySet<string> | null;
  /** Whether a run can be given a name by which its progress is asked for. */
  hasTasks: boolean;
}

/** A description may be long: extensions and the web UI add to it. */
const MOST_BYTES = 32 * 2 ** 20;

const ref = z.looseObject({ $ref: z.string() });
const operation = z.looseObject({
  requestBody: z
    .looseObject({ content: z.looseObject({ 'application/json': z.looseObject({ schema: ref }) }) })
    .optional()
    .catch(undefined),
});
const descriptionSchema = z.looseObject({
  paths: z.record(z.string(), z.looseObject({ post: operation.optional() })),
  components: z
    .looseObject({
      schemas: z.record(
        z.string(),
        z.looseObject({ properties: z.record(z.string(), z.unknown()).optional() }),
      ),
    })
    .optional(),
});
type Description = z.infer<typeof descriptionSchema>;

const pathOf = (route: string): string => `/sdapi/v1/${route}`;

function fieldsIn({ paths, components }: Description, route: Route): ReadonlySet<string> | null {
  const schema = paths[pathOf(route)]?.post?.requestBody?.content['application/json'].schema.$ref;
  const properties = components?.schemas[schema?.split('/').at(-1) ?? '']?.properties;
  return properties ? new Set(Object.keys(properties)) : null;
}

function nameOf(routes: ReadonlySet<string>): Fork['name'] {
  if (routes.has(pathOf('version')) || routes.has(pathOf('status'))) return 'SD.Next';
  return routes.has(pathOf('sd-modules')) ? 'Forge' : 'AUTOMATIC1111';
}

/** Routes that the web UI of the family has whether its API is on or not. */
const OF_THE_UI = ['/internal/progress', '/internal/ping', '/internal/pending-tasks'];

function forkOf(http: Http, description: Description): Fork {
  const routes = new Set(Object.keys(description.paths));
  if (!routes.has(pathOf('txt2img'))) throw notOne(http, routes);
  const isTold = routes.has('/internal/progress');
  const fields = (route: Route) => fieldsIn(description, route);
  const hasTasks = isTold && (fields('txt2img')?.has('force_task_id') ?? false);
  return { name: nameOf(routes), routes, fields, hasTasks };
}

function notOne(http: Http, routes: ReadonlySet<string>): AssayError {
  if (OF_THE_UI.some((path) => routes.has(path)))
    return fail('HOST_API_OFF', { url: http.url, reason: 'it has no route /sdapi/v1/txt2img' });
  return unknownHost(http, 'it describes other routes');
}

/**
 * @throws HOST_UNKNOWN when something else answers; HOST_API_OFF; HOST_DENIED, HOST_UNREACHABLE, HOST_FAILED
 */
export async function findFork(http: Http, signal: AbortSignal): Promise<Fork> {
  const path = '/openapi.json';
  const reply = await http.get(path, MOST_BYTES, signal);
  const parsed = reply.status === 200 ? descriptionOf(http, path, reply) : undefined;
  if (parsed) return forkOf(http, parsed);
  // Where the description is withheld, its progress, which every fork has, tells.
  await readNow(http, signal, false);
  return { name: 'AUTOMATIC1111', routes: null, fields: () => null, hasTasks: false };
}

/** Undefined where a page stands in its place, as some proxies and front ends answer. */
function descriptionOf(
  http: Http,
  path: string,
  reply: Parameters<typeof parseReply>[2],
): Description | undefined {
  try {
    return parseReply(http, path, reply, descriptionSchema);
  } catch {
    return undefined;
  }
}
