/** `POST /v1/rank`, and `rank` on the websocket. */
import { rankJob } from '../scoring.ts';
import { rankAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import { type Job, messageOf, readerOf, scoreForm } from './job.ts';
import { JOB_BODY, JOB_ERRORS, RESULT_EXAMPLE } from './job-docs.ts';
import type { Route } from './route.ts';

export const rank: Route<Job> = {
  method: 'post',
  path: '/v1/rank',
  read: readerOf(scoreForm),
  handler: async (work, job) => ({ body: await rankJob(work, job) }),
  socket: { op: 'rank', ...messageOf(scoreForm) },
  docs: {
    summary: 'Rank images of one prompt',
    body: JOB_BODY,
    answers: {
      200: answer('Results, and the best first', named('RankAnswer', rankAnswer), {
        results: [RESULT_EXAMPLE],
        order: [0],
        best: 0,
      }),
    },
    errors: JOB_ERRORS,
  },
};
