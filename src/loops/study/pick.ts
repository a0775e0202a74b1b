/** Which images are the best: by one measure, or by the ranks that several give. Pure. */
import type { Candidate, Outcome, Scored, TrialState } from './types.ts';

/** The images of a trial; none while it is not told, and of one that failed. */
export const imagesOf = (outcome: Outcome | null): readonly Scored[] =>
  outcome && 'images' in outcome ? outcome.images : [];

/** Work that went into a trial, in whole images, or will; what failed costs nothing. */
export function workOf({ trial: { stage }, outcome }: TrialState): number {
  if (!outcome) return stage.effort;
  if ('failed' in outcome) return 0;
  return stage.effort * ('pruned' in outcome ? outcome.pruned.share : Math.max(1, outcome.images.length));
}

/** Images that have a value by every measure of the pick. */
const isMeasured = (pick: readonly string[], { values, rejected }: Scored): boolean =>
  !rejected && pick.every((measure) => typeof values[measure] === 'number');

/** Share of the numbers that each is above, equal ones counting half: 0..1. */
function ranksOf(numbers: readonly number[]): number[] {
  const sorted = numbers.toSorted((a, b) => a - b);
  return numbers.map((number) => {
    const below = sorted.findIndex((other) => other >= number);
    const upTo = sorted.findLastIndex((other) => other <= number) + 1;
    return (below + upTo) / 2 / numbers.length;
  });
}

/** Numbers as distances from their mean, in standard deviations. */
function standardised(numbers: readonly number[]): number[] {
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const spread = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length);
  return numbers.map((x) => (spread > 0 ? (x - mean) / spread : 0));
}

/** One number an image: what the measure says, or the mean of what `scale` makes of each measure. */
function combined(
  images: readonly Scored[],
  pick: readonly string[],
  scale: (numbers: readonly number[]) => number[],
): number[] {
  const columns = pick.map((measure) => images.map(({ values }) => values[measure]!));
  if (columns.length === 1) return columns[0]!;
  const scaled = columns.map(scale);
  return images.map((_, i) => scaled.reduce((sum, column) => sum + column[i]!, 0) / scaled.length);
}

/** Candidates of the given trials in the order asked, with their values among each other. */
export function candidatesOf(states: readonly TrialState[], pick: readonly string[]): Candidate[] {
  const found = states.flatMap(({ trial, outcome }) =>
    imagesOf(outcome).map((scored, index) => ({ trial, index, scored })),
  );
  const measured = found.filter(({ scored }) => isMeasured(pick, scored));
  const values = combined(
    measured.map(({ scored }) => scored),
    pick,
    ranksOf,
  );
  return measured.map((candidate, i) => ({ ...candidate, value: values[i]! }));
}

/** As numbers whose differences mean something, for statistics: of one measure its own, of several standardised ones. */
export function figuresOf(states: readonly TrialState[], pick: readonly string[]): number[] {
  const images = states
    .flatMap(({ outcome }) => imagesOf(outcome))
    .filter((scored) => isMeasured(pick, scored));
  return combined(images, pick, standardised);
}

/** Best first; among equals the one that was asked for first. */
export const bestFirst = (candidates: readonly Candidate[]): Candidate[] =>
  candidates.toSorted((a, b) => b.value - a.value);
