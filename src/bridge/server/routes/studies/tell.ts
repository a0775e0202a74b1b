/** `POST /v1/studies/{id}/tell`, and `study-tell` on the websocket. */
import { fail } from '../../../../errors/error.ts';
import type { Telling } from '../../../../types/study.ts';
import type { ServerContext } from '../../context.ts';
import { paramOf, readValue } from '../../http/value.ts';
import { checkItemCount, parse } from '../../wire/parse.ts';
import { type TellBody, tellAnswer, tellBody } from '../../wire/study-schemas.ts';
import { answer, content, named } from '../docs.ts';
import { itemsOf } from '../job.ts';
import { JOB_ERRORS } from '../job-docs.ts';
import type { Route } from '../route.ts';
import { studyField } from './field.ts';

interface Told {
  study: string;
  telling: Telling;
}

/** @throws BAD_REQUEST */
function tellingOf(
  { trial, items, images, failed, prompt, idempotencyKey: key }: TellBody,
  context: ServerContext,
): Telling {
  const one = [items, images, failed].filter((part) => part !== undefined).length === 1;
  if (!one) throw fail('BAD_REQUEST', { reason: 'expected exactly one of items, images and failed' });
  if (items) return { trial, key, items: itemsOf({ items, prompt, promptFromFile: true }, context) };
  return { trial, key, ...(images ? { images } : { failed: failed! }) };
}

export const tell: Route<Told> = {
  method: 'post',
  path: '/v1/studies/:id/tell',
  read: async (exchange) => {
    const { request, context } = exchange;
    const value = await readValue(exchange);
    checkItemCount(value, context.config.limits.maxItems);
    return { study: paramOf(request, 'id'), telling: tellingOf(parse(tellBody, value), context) };
  },
  handler: async ({ context, call }, { study, telling }) => {
    call.items = 'items' in telling ? telling.items.length : 0;
    const { client, signal } = call;
    const asker = { client, signal, patienceMs: context.config.limits.queueWaitMs };
    const told = await call.handOver(
      () => context.service.studies.tell(study, telling, asker),
      context.tuning.handoverMs,
    );
    context.metrics.results(told.results);
    return { body: told };
  },
  socket: {
    op: 'study-tell',
    fields: { study: studyField, ...tellBody.shape },
    itemsIn: (message) => (message as TellBody).items?.length ?? 0,
    inputOf: (message, context) => {
      const { study, ...body } = message as TellBody & { study: string };
      return { study, telling: tellingOf(body, context) };
    },
  },
  docs: {
    summary: 'Tell a study how a trial went: with images to score, with scores, or why there is no image',
    body: content(named('StudyTell', tellBody), {
      trial: 't1',
      images: [{ image: 'fox-1.png', values: { reward: 0.63 } }],
    }),
    answers: { 200: answer('It is counted, once', named('StudyTold', tellAnswer)) },
    errors: [...JOB_ERRORS, 'STUDY_UNKNOWN', 'TRIAL_UNKNOWN', 'TRIAL_TOLD', 'TRIAL_UNSCORED'],
  },
};
