/** Routes in the shape of other reward servers: those that the config switches on. */
import type { Config } from '../../../../config.ts';
import { answer } from '../docs.ts';
import type { Route } from '../route.ts';
import { compute } from './flow-factory.ts';
import { rewardNames, uniRewards, uniScore } from './unirl.ts';

/** Either trainer asks it before it begins. */
const health: Route = {
  method: 'get',
  path: '/health',
  quiet: true,
  handler: ({ context }) => ({
    body: {
      status: 'ok',
      rewards: Object.fromEntries(rewardNames(context).map((name) => [name, ['reward']])),
    },
  }),
  docs: {
    summary: 'Whether rewards are served, and which',
    answers: { 200: answer('Names', { type: 'object' }) },
  },
};

const BY_NAME = { unirl: [uniScore, uniRewards], 'flow-factory': [compute] } as const;

export function compatRoutes({ rewards: { compat } }: Pick<Config, 'rewards'>): readonly Route[] {
  const names = [...new Set(compat)];
  return names.length > 0 ? [...names.flatMap((name) => BY_NAME[name] as readonly Route[]), health] : [];
}
