/** `POST /compute` as Flow-Factory's remote reward model calls it. */
import { fail } from '../../../../errors/error.ts';
import { ERRORS, type ErrorCode } from '../../../../errors/table.ts';
import type { RewardItem } from '../../../../types/reward.ts';
import { readValue } from '../../http/value.ts';
import { rewardJob } from '../../scoring.ts';
import { parse, tooManyItems } from '../../wire/parse.ts';
import { answer, content, named } from '../docs.ts';
import { itemsOf } from '../job.ts';
import { JOB_ERRORS } from '../job-docs.ts';
import type { RewardJob } from '../rewards.ts';
import type { Exchange, Route } from '../route.ts';
import { type ComputeBody, computeBody } from './messages.ts';

async function readCompute(exchange: Exchange): Promise<RewardJob> {
  const { context } = exchange;
  const body: ComputeBody = parse(computeBody, await readValue(exchange));
  const prompts = body.prompt ?? body.prompts ?? [];
  const images = body.image ?? body.images ?? [];
  const { maxItems } = context.config.limits;
  if (images.length > maxItems) throw tooManyItems(images.length, maxItems);
  if (images.length === 0 || images.length !== prompts.length)
    throw fail('BAD_REQUEST', {
      reason: `expected as many images as prompts, and one at least; ${images.length} and ${prompts.length} came`,
    });
  const items = images.map((image, i) => ({ image, prompt: prompts[i]! }));
  return { items: itemsOf({ items, promptFromFile: false }, context), key: undefined };
}

/** The contract has numbers and nothing else, so an image without a reward fails the request. @throws REWARD_MISSING, REWARD_FAILED */
function numbersOf(results: RewardItem[]): number[] {
  const without = results.filter(({ reward }) => reward === null);
  if (without.length === 0) return results.map(({ reward }) => reward!);
  const { id, missing, error } = without.find((item) => mayPass(item)) ?? without[0]!;
  const details = { count: without.length, of: results.length, id, reason: missing!.reason };
  throw error && mayPass({ error }) ? fail('REWARD_FAILED', details) : fail('REWARD_MISSING', details);
}

const mayPass = ({ error }: Pick<RewardItem, 'error'>): boolean =>
  error !== null && ERRORS[error.code as ErrorCode]?.kind !== 'input';

export const compute: Route<RewardJob> = {
  method: 'post',
  path: '/compute',
  read: readCompute,
  handler: async (work, job) => ({ body: { rewards: numbersOf((await rewardJob(work, job)).results) } }),
  docs: {
    summary: 'Rewards by the profile of the config, as Flow-Factory asks for them',
    body: content(named('ComputeRequest', computeBody)),
    answers: {
      200: answer('One number an image', {
        type: 'object',
        properties: { rewards: { type: 'array', items: { type: 'number' } } },
      }),
    },
    errors: ['REWARD_MISSING', 'REWARD_FAILED', ...JOB_ERRORS],
  },
};
