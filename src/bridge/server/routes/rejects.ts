/** `GET /v1/rejects`: where rejected images go, for those that move them there themselves. */
import { rejectsAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const rejects: Route = {
  method: 'get',
  path: '/v1/rejects',
  handler: ({ context }) => ({ body: { folder: context.config.rejectDir } }),
  docs: {
    summary: 'Where the reject bin is',
    answers: {
      200: answer('Its folder', named('RejectsAnswer', rejectsAnswer), { folder: '/var/lib/assay/rejects' }),
    },
  },
};
