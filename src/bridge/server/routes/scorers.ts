/** `GET /v1/scorers` */
import { scorersAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const scorers: Route = {
  method: 'get',
  path: '/v1/scorers',
  handler: ({ context: { service } }) => ({
    body: { scorers: service.scorers(), refused: service.refusedScorers() },
  }),
  docs: {
    summary: 'Installed scorers',
    answers: { 200: answer('Scorers', named('ScorersAnswer', scorersAnswer)) },
  },
};
