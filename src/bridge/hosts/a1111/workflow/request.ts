/** The workflow file of this family: the JSON body of txt2img or img2img. Anything else is refused with words that help. */
import { z } from 'zod';
import { fail, reasonOf } from '../../../../errors/error.ts';
import { issueInWords } from '../../../../lib/issue.ts';
import { parseJson } from '../../../../lib/python-json.ts';
import { isObject } from '../../link/values.ts';

export const ROUTES = ['txt2img', 'img2img'] as const;
export type Route = (typeof ROUTES)[number];

export type Body = Readonly<Record<string, unknown>>;

export interface Request {
  route: Route;
  /** Without `route`, which is ours. */
  body: Body;
}

const whole = z.int().or(z.bigint());
const count = z.int().min(1);
const images = z.array(z.string().min(1)).min(1);

/** Fields that a run is understood by here; all others go to the host as they are. */
const bodySchema = z.looseObject({
  prompt: z.string().optional(),
  negative_prompt: z.string().optional(),
  seed: whole.optional(),
  subseed: whole.optional(),
  subseed_strength: z.number().min(0).max(1).optional(),
  batch_size: count.optional(),
  n_iter: count.optional(),
  steps: count.optional(),
  width: count.optional(),
  height: count.optional(),
  init_images: images.optional(),
  mask: z.string().optional(),
  override_settings: z.record(z.string(), z.unknown()).optional(),
  alwayson_scripts: z.record(z.string(), z.unknown()).optional(),
});

const isNodes = (value: Record<string, unknown>): boolean =>
  Array.isArray(value.nodes) || Object.values(value).some((node) => isObject(node) && 'class_type' in node);

/**
 * Reads a request from the text of a file.
 *
 * @param source what the errors call it: a path, for one
 * @throws REQUEST_INVALID
 */
export function readRequest(text: string, source: string): Request {
  let value: unknown;
  try {
    value = parseJson(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw fail('REQUEST_INVALID', { source, reason: `it is not JSON (${reasonOf(cause)})` }, { cause });
  }
  return checkRequest(value, source);
}

/** @throws REQUEST_INVALID naming the first field that does not fit */
export function checkRequest(value: unknown, source: string): Request {
  const invalid = (reason: string) => fail('REQUEST_INVALID', { source, reason });
  if (!isObject(value)) throw invalid('the top level is not an object');
  if (isNodes(value)) throw invalid('it is a workflow of nodes, which another kind of host runs');
  const { route = 'init_images' in value ? 'img2img' : 'txt2img', ...body } = value;
  const known = ROUTES.find((name) => name === route);
  if (!known) throw invalid(`route is ${JSON.stringify(route)}, and may be ${ROUTES.join(' or ')}`);
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) throw invalid(issueInWords(parsed.error.issues[0]!));
  const { init_images, prompt, infotext } = parsed.data;
  if (known === 'img2img' && !init_images) throw invalid('img2img needs init_images');
  if (known === 'txt2img' && init_images)
    throw invalid('init_images are of img2img, and the route is txt2img');
  if (known === 'txt2img' && prompt === undefined && infotext === undefined)
    throw invalid('it has neither prompt nor init_images');
  return { route: known, body: parsed.data };
}
