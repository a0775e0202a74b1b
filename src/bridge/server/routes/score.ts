/** `POST /v1/score`, and `score` on the websocket. */
import { scoreJob } from '../scoring.ts';
import { scoreAnswer } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import { type Job, messageOf, readerOf, scoreForm } from './job.ts';
import { JOB_BODY, JOB_ERRORS, RESULT_EXAMPLE } from './job-docs.ts';
import type { Route } from './route.ts';

export const score: Route<Job> = {
  method: 'post',
  path: '/v1/score',
  read: readerOf(scoreForm),
  handler: async (work, job) => ({ body: await scoreJob(work, job) }),
  socket: { op: 'score', ...messageOf(scoreForm) },
  docs: {
    summary: 'Score images',
    body: JOB_BODY,
    answers: {
      200: answer(
        'Results in request order; past the deadline with the error DEADLINE in those that are not finished',
        named('ScoreAnswer', scoreAnswer),
        { results: [RESULT_EXAMPLE] },
      ),
    },
    errors: JOB_ERRORS,
  },
};
