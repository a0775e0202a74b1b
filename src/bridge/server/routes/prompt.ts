/** `POST /v1/prompt`: the prompt in a workflow or an image file; nothing is scored. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fail } from '../../../errors/error.ts';
import type { PromptFound } from '../../../types.ts';
import type { Call } from '../call.ts';
import type { Desk } from '../context.ts';
import { admitBody, readBody } from '../http/body.ts';
import { codecOf } from '../wire/codec.ts';
import { bytesOf } from '../wire/items.ts';
import { parse } from '../wire/parse.ts';
import { promptBody } from '../wire/schemas.ts';
import { VALUE_BYTES } from '../wire/shape.ts';

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
  const incoming = admitBody(desk, call, request, response);
  const { value, values } = await codec.decode(await readBody(incoming));
  incoming.parcel.complete(VALUE_BYTES * values);
  const { workflow, image } = parse(promptBody, value);
  return desk.service.findPrompt(workflow ? { workflow } : { image: await bytesOf(image!) });
}
