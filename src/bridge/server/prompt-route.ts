/** `POST /v1/prompt`: the prompt in a workflow or an image file; nothing is scored. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fail } from '../../errors.ts';
import type { PromptFound } from '../../types.ts';
import { admitBody, readBody } from './body.ts';
import type { Call } from './call.ts';
import { codecOf } from './codec.ts';
import type { Desk } from './desk.ts';
import { decodeBase64 } from './items.ts';
import { parse } from './parse.ts';
import { promptBody } from './schemas.ts';

const TYPES = 'application/json or application/msgpack';

/** @throws UNSUPPORTED_CONTENT_TYPE, BODY_TOO_LARGE, MALFORMED_BODY, BAD_REQUEST, IMAGE_ENCODING */
export async function findPrompt(
  desk: Desk,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<PromptFound> {
  const type = request.headers['content-type'] ?? '(none)';
  const codec = codecOf(type);
  if (!codec) throw fail('UNSUPPORTED_CONTENT_TYPE', { found: type, expected: TYPES });
  await admitBody(desk, call, request, response);
  const bytes = await readBody(request, desk.config.limits.maxBodyBytes, call.signal);
  const { workflow, image } = parse(promptBody, codec.decode(bytes));
  if (workflow) return desk.service.findPrompt({ workflow });
  return desk.service.findPrompt({ image: typeof image === 'string' ? decodeBase64(image) : image! });
}
