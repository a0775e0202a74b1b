/**
 * The confirmation: the best variant against the original on seeds that had no part in choosing it. One variant, once,
 * on a number of seeds that was fixed before: what it says holds, however many were tried. Pure.
 */
import { counted } from '../../lib/words.ts';
import { differences, type Gain, gainOf, gainText, LEAST_PAIRS, mean } from './gain.ts';
import type { Place, Scores } from './scores.ts';
import type { RefineSpec } from './spec.ts';
import type { Variant, Verdict } from './types.ts';

export interface Confirmed {
  spec: RefineSpec;
  scores: Scores;
  original: Variant;
  candidate: Variant;
}

export const NONE = 'no improvement found';

/** What is still to be made on the first `pairs` fresh seeds. */
function missing({ spec, scores, original, candidate }: Confirmed, pairs: number): Place[] {
  return Array.from({ length: pairs }, (_, i) => spec.seeds + i)
    .flatMap((seed) => [
      { variant: original, seed },
      { variant: candidate, seed },
    ])
    .filter((place) => !scores.isMade(place));
}

/**
 * What comes next: images, or the verdict. After half of the seeds it ends where the variant is not even ahead: that can
 * only take claims away.
 */
export function nextInConfirmation(confirmed: Confirmed): { make: Place[] } | Verdict {
  const { spec, scores, original, candidate } = confirmed;
  for (const pairs of [Math.ceil(spec.confirm / 2), spec.confirm]) {
    const make = missing(confirmed, pairs);
    if (make.length > 0) return { make };
    const to = spec.seeds + pairs;
    const found = differences(
      scores.values(candidate, spec.seeds, to),
      scores.values(original, spec.seeds, to),
    );
    const lacking =
      scores.lacking(candidate, original, spec.seeds, to) -
      scores.lacking(original, candidate, spec.seeds, to);
    if (pairs === spec.confirm || found.length === 0 || mean(found) <= 0)
      return verdictOf(confirmed, found, lacking);
  }
  throw new Error('the last stage decides');
}

/** @param lacking images without a value that the variant has more than the original */
function verdictOf({ spec, original, candidate }: Confirmed, found: number[], lacking: number): Verdict {
  const gain = gainOf(found);
  const none = (reason: string): Verdict => ({
    ...{ kind: 'none', words: NONE, prompt: original.prompt },
    ...{ reason, candidate, gain },
  });
  if (lacking > 0) return none(`${counted(lacking, 'image')} of ${candidate.id} had no value on fresh seeds`);
  if (!gain || found.length < LEAST_PAIRS)
    return none(`only ${counted(found.length, 'fresh seed')} had values`);
  const rests = restsOn(gain, spec.by);
  if (!(gain.interval[0] > 0))
    return none(`the best variant, ${candidate.id}, came to ${gainText(gain)} on fresh seeds; ${rests}`);
  return {
    ...{ kind: 'better', words: `better by ${gainText(gain)}`, prompt: candidate.prompt },
    ...{ reason: rests, candidate, gain },
  };
}

const restsOn = ({ pairs }: Gain, by: string): string =>
  `${by}, mean difference to the original on ${counted(pairs, 'fresh seed')}, 95 % interval`;
