/** `GET /v1/studies/{id}`, and `study` on the websocket. */
import { paramOf } from '../../http/value.ts';
import { stateAnswer } from '../../wire/study-schemas.ts';
import { answer, named } from '../docs.ts';
import type { Route } from '../route.ts';
import { studyField } from './field.ts';

export const state: Route<string> = {
  method: 'get',
  path: '/v1/studies/:id',
  read: ({ request }) => paramOf(request, 'id'),
  handler: ({ context: { service } }, study) => ({ body: service.studies.state(study) }),
  socket: {
    op: 'study',
    fields: { study: studyField },
    itemsIn: () => 0,
    inputOf: (message) => (message as { study: string }).study,
  },
  docs: {
    summary: 'How a study stands',
    answers: { 200: answer('Its plan, what is open, and the best so far', named('StudyState', stateAnswer)) },
    errors: ['STUDY_UNKNOWN', 'STUDY_DAMAGED', 'STUDY_HELD'],
  },
};
