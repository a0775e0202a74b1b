/** `POST /v1/scorers/{id}/release`: memory back, now. */
import { paramOf } from '../http/value.ts';
import { releaseAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const release: Route<string> = {
  method: 'post',
  path: '/v1/scorers/:id/release',
  read: ({ request }) => paramOf(request, 'id'),
  handler: ({ context: { service } }, scorer) => ({ body: service.release(scorer) }),
  docs: {
    summary: 'Give back the memory of a scorer, also that of the GPU, until the next image comes',
    answers: {
      200: answer('What was given back', named('ReleaseAnswer', releaseAnswer), { released: 2, pending: 0 }),
    },
    errors: ['UNKNOWN_SCORER'],
  },
};
