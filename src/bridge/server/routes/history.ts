/** `GET /v1/history`: what was recorded. */
import type { HistoryQuery } from '../../../types/history.ts';
import { queryOf } from '../http/value.ts';
import { parse } from '../wire/parse.ts';
import { historyAnswer, historyQuery } from '../wire/schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const history: Route<HistoryQuery> = {
  method: 'get',
  path: '/v1/history',
  read: ({ request }) => parse(historyQuery, queryOf(request)),
  handler: async ({ context, call }, query) => ({
    body: await context.service.history(query, call.signal),
  }),
  docs: {
    summary: 'Recorded verdicts, newest first',
    query: historyQuery,
    answers: { 200: answer('One page', named('HistoryAnswer', historyAnswer), { entries: [], next: null }) },
    errors: ['BAD_REQUEST', 'STORE_UNAVAILABLE'],
  },
};
