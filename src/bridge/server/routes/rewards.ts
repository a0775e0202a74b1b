/** `POST /v1/rewards`, and `rewards` on the websocket. */
import { profileSchema } from '../../../config/profiles.ts';
import { fail } from '../../../errors/error.ts';
import type { Profile } from '../../../types/profile.ts';
import type { ScoreItem } from '../../../types/request.ts';
import type { RewardRequest } from '../../../types/reward.ts';
import { rewardJob } from '../scoring.ts';
import { MAX_ECHO, parse } from '../wire/parse.ts';
import { type RewardBody, rewardAnswer, rewardBody, rewardUpload } from '../wire/reward-schemas.ts';
import { answer, named } from './docs.ts';
import { type ItemsJob, itemsOf, type JobForm, messageOf, readerOf } from './job.ts';
import { JOB_ERRORS, jobBody } from './job-docs.ts';
import type { Route } from './route.ts';

export interface RewardJob extends ItemsJob, Pick<RewardRequest, 'profile' | 'advantage' | 'run'> {}

/** @throws BAD_REQUEST */
function profileIn({ profile, scorers }: RewardBody): string | Profile | undefined {
  if (!scorers) return profile;
  if (profile !== undefined)
    throw fail('BAD_REQUEST', { reason: 'scorers: expected either profile or scorers, not both' });
  const twice = scorers.find((scorer, i) => scorers.indexOf(scorer) < i);
  if (twice !== undefined) throw fail('BAD_REQUEST', { reason: `scorers: "${twice}" came twice` });
  return meanOf(scorers);
}

/** The mean of the scorers' own rewards. */
export const meanOf = (scorers: string[]): Profile =>
  parse(profileSchema, { terms: scorers.map((scorer) => ({ scorer, weight: 1 / scorers.length })) });

/** Groups name their images by id. @throws BAD_REQUEST */
function eachNamed(items: ScoreItem[]): ScoreItem[] {
  const places = new Map<string, number>();
  for (const [i, { id }] of items.entries()) {
    const before = places.get(id);
    if (before !== undefined)
      throw fail('BAD_REQUEST', {
        reason: `items[${i}].id: "${id.slice(0, MAX_ECHO)}" is that of items[${before}], too; expected another for each`,
      });
    places.set(id, i);
  }
  return items;
}

const form: JobForm<RewardBody, RewardJob> = {
  body: rewardBody,
  upload: rewardUpload,
  jobOf: (body, context) => ({
    items: eachNamed(itemsOf(body, context)),
    profile: profileIn(body),
    advantage: body.advantage,
    run: body.run,
    key: body.idempotencyKey,
  }),
};

export const rewards: Route<RewardJob> = {
  method: 'post',
  path: '/v1/rewards',
  read: readerOf(form),
  handler: async (work, job) => ({ body: await rewardJob(work, job) }),
  socket: { op: 'rewards', ...messageOf(form) },
  docs: {
    summary: 'Rewards for a training loop: several scorers, one number an image, figures of each group',
    body: jobBody(named('RewardRequest', rewardBody), named('RewardUpload', rewardUpload)),
    answers: {
      200: answer('Rewards in request order, and their groups', named('RewardAnswer', rewardAnswer)),
    },
    errors: ['UNKNOWN_PROFILE', ...JOB_ERRORS],
  },
};
