/** `GET /readyz`: whether to send work. */
import type { ServerContext } from '../context.ts';
import type { Answer } from '../http/reply.ts';
import { readyAnswer } from '../wire/schemas.ts';
import { answer, named, RETRY_AFTER } from './docs.ts';
import type { Route } from './route.ts';

export const readiness: Route = {
  method: 'get',
  path: '/readyz',
  always: true,
  quiet: true,
  handler: ({ context }) => stateOf(context),
  docs: {
    summary: 'Whether the default scorer is loaded and warm',
    answers: {
      200: answer('ready', named('ReadyAnswer', readyAnswer)),
      503: {
        ...answer('not ready, and why', named('ReadyAnswer', readyAnswer), {
          ready: false,
          reason: 'scorer assay-lite is loading',
        }),
        headers: RETRY_AFTER,
      },
    },
  },
};

function stateOf({ traffic, service }: ServerContext): Answer {
  const reason = traffic.isDraining ? 'the daemon is shutting down' : service.notReady();
  const ready = reason === null;
  return { status: ready ? 200 : 503, headers: ready ? {} : { 'retry-after': '1' }, body: { ready, reason } };
}
