/** `GET /v1/monitor`: training runs, as their rewards show them. */
import { monitorAnswer } from '../wire/monitor-schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const monitor: Route = {
  method: 'get',
  path: '/v1/monitor',
  quiet: true,
  handler: ({ context: { service } }) => ({ body: service.monitor() }),
  docs: {
    summary:
      'Training runs: what their rewards were at first and are now, and warnings that one is being gamed',
    answers: { 200: answer('Runs, latest first', named('MonitorAnswer', monitorAnswer)) },
  },
};
