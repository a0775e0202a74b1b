/** `POST /v1/studies`, and `study-begin` on the websocket. */
import type { StudyPlan } from '../../../../types/study.ts';
import { readValue } from '../../http/value.ts';
import { parse } from '../../wire/parse.ts';
import { stateAnswer, studyBody } from '../../wire/study-schemas.ts';
import { answer, content, named } from '../docs.ts';
import type { Route } from '../route.ts';
import { BODY_ERRORS } from './errors.ts';

const EXAMPLE = {
  study: 'fox',
  spec: { prompt: 'a fox', images: 32, keep: 4, strategy: { name: 'halving' } },
};

export const begin: Route<StudyPlan> = {
  method: 'post',
  path: '/v1/studies',
  read: async (exchange) => parse(studyBody, await readValue(exchange)),
  handler: async ({ context: { service } }, plan) => ({ body: await service.studies.begin(plan) }),
  socket: {
    op: 'study-begin',
    fields: studyBody.shape,
    itemsIn: () => 0,
    inputOf: (message) => message as StudyPlan,
  },
  docs: {
    summary: 'Begin a study, or go on with one',
    body: content(named('StudyRequest', studyBody), EXAMPLE),
    answers: { 200: answer('How it stands', named('StudyState', stateAnswer)) },
    errors: ['STUDY_INVALID', ...BODY_ERRORS, 'UNKNOWN_SCORER', 'STUDY_TAKEN', 'STUDIES_FULL', 'STUDY_HELD'],
  },
};
