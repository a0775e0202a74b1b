/** `POST /v1/prompt`: the prompt in a workflow or an image file; nothing is scored. */
import type { z } from 'zod';
import { readValue } from '../http/value.ts';
import { bytesOf } from '../wire/items.ts';
import { parse } from '../wire/parse.ts';
import { promptAnswer, promptBody } from '../wire/schemas.ts';
import { answer, content, named } from './docs.ts';
import type { Route } from './route.ts';

export const prompt: Route<z.infer<typeof promptBody>> = {
  method: 'post',
  path: '/v1/prompt',
  read: async (exchange) => parse(promptBody, await readValue(exchange)),
  handler: async ({ context: { service } }, { workflow, image }) => ({
    body: service.findPrompt(workflow ? { workflow } : { image: await bytesOf(image!) }),
  }),
  docs: {
    summary: 'Find the prompt in a workflow or an image file; nothing is scored',
    body: content(named('PromptRequest', promptBody)),
    answers: { 200: answer('What was found, or why nothing', named('PromptAnswer', promptAnswer)) },
    errors: [
      'BAD_REQUEST',
      'MALFORMED_BODY',
      'UNSUPPORTED_CONTENT_TYPE',
      'IMAGE_ENCODING',
      'BODY_TOO_LARGE',
      'DRAINING',
      'DEADLINE',
    ],
  },
};
