/** `GET /healthz`: for a supervisor, which has no token. */
import { healthAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const health: Route = {
  method: 'get',
  path: '/healthz',
  always: true,
  quiet: true,
  open: true,
  handler: ({ context }) => ({ body: { status: 'ok', version: context.version } }),
  docs: {
    summary: 'Whether the process answers',
    answers: { 200: answer('alive', named('HealthAnswer', healthAnswer)) },
  },
};
