/** The reward profiles that there are, by name. */
import { profileSchema } from '../../config/profiles.ts';
import type { Config } from '../../config.ts';
import { fail, reasonOf } from '../../errors/error.ts';
import { nearest } from '../../errors/nearest.ts';
import type { Aspect } from '../../types/aspect.ts';
import type { Profile, ProfileTerm } from '../../types/profile.ts';
import type { Known } from '../model/catalog.ts';
import { refOf } from '../model/manifest.ts';

/** The reward of the default scorer, as it gives it. */
const DEFAULT: Profile = profileSchema.parse({ terms: [{}] });

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

/** A scorer that is watched beside a reward. Guards count for nothing: a policy that is led astray trips them, too. */
export const heldOutProfile = (scorer: string | undefined, aspect: Aspect | undefined): Profile => ({
  terms: [{ scorer, aspect, weight: 1, scale: aspect ? 'score' : 'range' }],
  missing: 'leave-out',
  guards: [],
});

/** What is known of a scorer by its name. @throws UNKNOWN_SCORER */
type LookUp = (name: string | undefined) => Pick<Known, 'manifest'>;

/** What a name of a scorer, or none, stands for, and how it makes its own reward. */
export const scorerIn =
  ({ find }: { find: LookUp }) =>
  (name: string | undefined) => {
    const { manifest } = find(name);
    return { ref: refOf(manifest), ownReward: manifest.reward };
  };

/** What of the profiles and the monitor in the config cannot be as it was meant, for people. */
export function profileDoubts(config: Pick<Config, 'rewards' | 'monitor'>, lookUp: LookUp): string[] {
  const { profile, profiles } = config.rewards;
  const unknown = Object.hasOwn(profilesOf(config), profile)
    ? []
    : [`rewards.profile: there is no profile "${profile}"`];
  const wrong = Object.entries(profiles).flatMap(([name, { terms }]) =>
    terms.flatMap((term, i) =>
      termDoubt(term, lookUp).map((doubt) => `rewards.profiles.${name}.terms.${i}: ${doubt}`),
    ),
  );
  return [...unknown, ...wrong, ...heldOutDoubts(config, lookUp)];
}

function heldOutDoubts({ rewards, monitor }: Pick<Config, 'rewards' | 'monitor'>, lookUp: LookUp): string[] {
  const { heldOut, aspect } = monitor;
  if (heldOut === undefined) return aspect ? ['monitor.aspect does nothing without monitor.heldOut'] : [];
  const doubts = termDoubt({ scorer: heldOut, aspect, weight: 1, scale: 'range' }, lookUp);
  if (doubts.length > 0) return doubts.map((doubt) => `monitor.heldOut: ${doubt}`);
  const { id } = lookUp(heldOut).manifest;
  const asked = Object.entries(profilesOf({ rewards })).filter(([, { terms }]) =>
    terms.some((term) => isSame(term, id, aspect, lookUp)),
  );
  return asked.map(
    ([name]) =>
      `monitor.heldOut: ${id} is a part of the reward of the profile ${name}; it is not held out there`,
  );
}

/** Whether a term rewards what is watched. */
function isSame(term: ProfileTerm, id: string, aspect: Aspect | undefined, lookUp: LookUp): boolean {
  if (termDoubt(term, lookUp).length > 0 || lookUp(term.scorer).manifest.id !== id) return false;
  return term.aspect === undefined || aspect === undefined || term.aspect === aspect;
}

function termDoubt({ scorer, aspect }: ProfileTerm, lookUp: LookUp): string[] {
  try {
    const { id, aspects } = lookUp(scorer).manifest;
    return aspect && !aspects[aspect] ? [`${id} does not predict ${aspect}, so no image gets a reward`] : [];
  } catch (error) {
    return [reasonOf(error)];
  }
}
