/** `GET /v1/profiles`: the reward profiles that a request may name. */
import { profilesAnswer } from '../wire/reward-schemas.ts';
import { answer, named } from './docs.ts';
import type { Route } from './route.ts';

export const profiles: Route = {
  method: 'get',
  path: '/v1/profiles',
  handler: ({ context: { service, config } }) => ({
    body: { default: config.rewards.profile, profiles: service.profiles() },
  }),
  docs: {
    summary: 'Reward profiles',
    answers: { 200: answer('Profiles by name', named('ProfilesAnswer', profilesAnswer)) },
  },
};
