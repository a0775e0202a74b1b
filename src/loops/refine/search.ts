/** The search: rounds of variants, of which the worse half is dropped after each stage. Pure. */
import { counted } from '../../lib/words.ts';
import { differences, mean, standardError } from './gain.ts';
import type { Place, Scores } from './scores.ts';
import { ladderOf, type RefineSpec, roundCost } from './spec.ts';
import type { Variant } from './types.ts';

export interface Searched {
  spec: RefineSpec;
  scores: Scores;
  original: Variant;
  /** By round, those that are tried. A round may be empty. */
  rounds: readonly (readonly Variant[])[];
}

/** What comes next: images, proposals, or the end of the search. */
export type SearchStep =
  | { make: Place[] }
  | { propose: number }
  /** `best`: null when no variant did better than the original. `reason`: for people. */
  | { best: Variant | null; reason: string };

const missing = (scores: Scores, variants: readonly Variant[], seeds: number): Place[] =>
  Array.from({ length: seeds }, (_, seed) => variants.map((variant) => ({ variant, seed })))
    .flat()
    .filter((place) => !scores.isMade(place));

/** How many seeds it takes until the original has a value on so many; all that variants share, where it has not. */
function reach({ spec, scores, original }: Searched, wanted: number): number {
  const values = scores.values(original, 0, spec.seeds);
  let found = 0;
  for (let seed = 0; seed < spec.seeds; seed++) {
    if ((values.get(seed) ?? null) !== null) found++;
    if (found === wanted || !scores.isMade({ variant: original, seed })) return seed + 1;
  }
  return spec.seeds;
}

/**
 * Best first by the mean difference to the original on the seeds that all share. One that has no value where the
 * original has one is out: whatever it makes elsewhere, it spoils images.
 */
function ranked({ scores, original }: Searched, variants: readonly Variant[], seeds: number): Variant[] {
  return variants
    .filter((variant) => scores.lacking(variant, original, 0, seeds) === 0)
    .map((variant) => ({ variant, gain: scores.gain(variant, original, 0, seeds) }))
    .filter(({ gain }) => gain !== null)
    .toSorted((a, b) => b.gain! - a.gain!)
    .map(({ variant }) => variant);
}

/** The best of a round, once all that it takes is made. */
function climb(
  searched: Searched,
  members: readonly Variant[],
): { make: Place[] } | { best: Variant | undefined } {
  const { spec, scores, original } = searched;
  let left = [...members];
  for (const { variants, seeds: wanted } of ladderOf(spec, members.length)) {
    const seeds = reach(searched, wanted);
    left = left.slice(0, variants);
    const make = left.length > 0 ? missing(scores, [original, ...left], seeds) : [];
    if (make.length > 0) return { make };
    left = ranked(searched, left, seeds);
  }
  return { best: left[0] };
}

/** Whether it is better by more than chance moves it, give or take: one standard error on all seeds of a round. */
function isGain({ spec, scores }: Searched, variant: Variant, base: Variant): boolean {
  const found = differences(scores.values(variant, 0, spec.seeds), scores.values(base, 0, spec.seeds));
  return found.length > 0 && mean(found) > 0 && mean(found) >= standardError(found);
}

/** Rounds one after the other that may bring nothing. */
const PATIENCE = 2;

export function nextInSearch(searched: Searched): SearchStep {
  const { spec, scores, original } = searched;
  // So many show what the original is like, before anybody is asked to write a better one.
  const first = missing(scores, [original], reach(searched, ladderOf(spec, spec.variants)[0]!.seeds));
  if (first.length > 0) return { make: first };
  return afterRounds(searched) ?? { propose: searched.rounds.length + 1 };
}

/** Goes through the rounds so far; undefined where there may be one more. */
function afterRounds(searched: Searched): SearchStep | undefined {
  const { spec, scores, original, rounds } = searched;
  let best = original;
  let idle = 0;
  const end = (reason: string): SearchStep => ({ best: best === original ? null : best, reason });
  for (const members of rounds) {
    const climbed = climb(searched, members);
    if ('make' in climbed) return climbed;
    const found = climbed.best;
    idle = found && isGain(searched, found, best) ? 0 : idle + 1;
    if (found && scores.gain(found, best, 0, spec.seeds)! > 0) best = found;
    if (members.length === 0) return end('nothing new was proposed');
    if (idle === PATIENCE) return end(`${PATIENCE} rounds brought nothing`);
  }
  if (rounds.length === spec.rounds) return end(`all ${counted(spec.rounds, 'round')} are done`);
  return isSpent(searched) ? end('the images that are left are for the confirmation') : undefined;
}

/** Whether a round would take images that the confirmation needs. */
function isSpent({ spec, scores, original }: Searched): boolean {
  const needed = roundCost(spec) + 2 * spec.confirm + missing(scores, [original], spec.seeds).length;
  return scores.spent() + needed * scores.batch() > spec.images;
}
