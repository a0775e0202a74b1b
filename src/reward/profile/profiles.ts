/** The reward profiles that there are, by name. */
import type { Config } from '../../config.ts';
import { fail } from '../../errors/error.ts';
import { nearest } from '../../errors/nearest.ts';
import type { Profile } from '../../types.ts';

/** The reward of the default scorer, as it gives it. */
const DEFAULT: Profile = {
  terms: [{ weight: 1, scale: 'range' }],
  missing: 'leave-out',
  guards: ['blank', 'noise', 'corrupt', 'out-of-domain'],
};

export const profilesOf = ({ rewards }: Pick<Config, 'rewards'>): Record<string, Profile> => ({
  default: DEFAULT,
  ...rewards.profiles,
});

/** @throws UNKNOWN_PROFILE */
export function findProfile(
  config: Pick<Config, 'rewards'>,
  asked: string | Profile | undefined,
): Profile & { name: string | null } {
  if (typeof asked === 'object') return { name: null, ...asked };
  const name = asked ?? config.rewards.profile;
  const profiles = profilesOf(config);
  if (Object.hasOwn(profiles, name)) return { name, ...profiles[name]! };
  const known = Object.keys(profiles);
  const near = nearest(name, known);
  const hint = near ? ` (did you mean "${near}"?)` : '';
  throw fail('UNKNOWN_PROFILE', { name: name.slice(0, 64), hint, known: known.join(', ') });
}
