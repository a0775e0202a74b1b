/** `POST /v1/studies/{id}/ask`, and `study-ask` on the websocket. */
import type { z } from 'zod';
import { paramOf, readValue } from '../../http/value.ts';
import { parse } from '../../wire/parse.ts';
import { askAnswer, askBody } from '../../wire/study-schemas.ts';
import { answer, content, named } from '../docs.ts';
import type { Route } from '../route.ts';
import { BODY_ERRORS } from './errors.ts';
import { studyField } from './field.ts';

type Asking = z.infer<typeof askBody> & { study: string };

export const ask: Route<Asking> = {
  method: 'post',
  path: '/v1/studies/:id/ask',
  read: async (exchange) => ({
    study: paramOf(exchange.request, 'id'),
    ...parse(askBody, await readValue(exchange)),
  }),
  handler: ({ context: { service } }, { study, n, held }) => ({ body: service.studies.ask(study, n, held) }),
  socket: {
    op: 'study-ask',
    fields: { study: studyField, ...askBody.shape },
    itemsIn: () => 0,
    inputOf: (message) => message as Asking,
  },
  docs: {
    summary: 'Ask a study what to try next',
    body: content(named('StudyAsk', askBody), { n: 1, held: [] }),
    answers: { 200: answer('Trials to make', named('StudyAsked', askAnswer)) },
    errors: [...BODY_ERRORS, 'STUDY_UNKNOWN', 'STUDY_DAMAGED', 'STUDY_HELD'],
  },
};
