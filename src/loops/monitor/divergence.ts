/**
 * Whether the reward rises while a held-out score falls: the sign that a policy has found what the reward overrates.
 * Pure. `npm run bench:monitor` measures how often it is wrong, and how soon it is right.
 */
import type { Change, Divergence } from '../../types/run.ts';

/** One group of images that both have judged. */
export interface Judged {
  /** Mean of its rewards. */
  reward: number;
  /** Mean of its held-out scores. */
  heldOut: number;
  /** What its prompt is known by; groups of one prompt are compared with each other first. */
  prompt: string;
}

/** How many groups are compared with as many before them: short spans see a sudden change, long ones a slow one. */
export const SPANS = [16, 32, 64, 128, 256];
/** Both changes are so many of their own standard errors at least. */
const CERTAINTY = 4;
/** Least degrees of freedom that a standard error is believed with. */
const LEAST_FREEDOM = 12;

/** A value, and what it is compared with: those of its prompt, or of all prompts that do not come back (null). */
interface Value {
  value: number;
  stratum: string | null;
}
type Sides = [before: Value[], after: Value[]];

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);

/** By stratum. */
const meansOf = (values: Value[]): Map<string | null, { mean: number; count: number }> =>
  new Map(
    [...Map.groupBy(values, ({ stratum }) => stratum)].map(([name, all]) => [
      name,
      { mean: sum(all.map(({ value }) => value)) / all.length, count: all.length },
    ]),
  );

/** What is left of a value without its mean; `at` is its place in time, 0 in the middle of its side. */
interface Residual {
  value: number;
  at: number;
}

/** A change that goes on within a side is what is looked for, and not noise. */
function withoutTrend(residuals: Residual[]): number[] {
  const slope = sum(residuals.map(({ value, at }) => value * at)) / sum(residuals.map(({ at }) => at ** 2));
  return residuals.map(({ value, at }) => value - slope * at);
}

/**
 * How much more the mean of values varies than it would if they were drawn one by one: those that follow each other may
 * share something that passes (a first-order autoregression, of which the lag-1 correlation tells all).
 */
function persistence(noise: number[]): number {
  const squares = sum(noise.map((value) => value ** 2));
  const products = sum(noise.slice(1).map((value, i) => value * noise[i]!));
  const correlation = squares > 0 ? Math.max(0, products / squares) : 0;
  return (1 + correlation) / (1 - correlation);
}

/**
 * The mean before and after, by prompt where it stands on both sides, since prompts differ more from each other than a
 * policy moves in a few steps; and the change in standard errors. Null where there is not enough to compare.
 */
function changeOf(sides: Sides): Change | null {
  const [before, after] = [meansOf(sides[0]), meansOf(sides[1])];
  const shared = [...before.keys()].filter((name) => after.has(name));
  const weights = shared.map((name) => {
    const [n, m] = [before.get(name)!.count, after.get(name)!.count];
    return (n * m) / (n + m);
  });
  const whole = sum(weights);
  const weighed = (side: typeof before) =>
    sum(shared.map((name, i) => weights[i]! * side.get(name)!.mean)) / whole;
  const residuals = [before, after].flatMap((means, side) => {
    const values = sides[side]!.filter(({ stratum }) => before.has(stratum) && after.has(stratum));
    return values.map(({ value, stratum }, i): Residual => {
      return { value: value - means.get(stratum)!.mean, at: i - (values.length - 1) / 2 };
    });
  });
  const freedom = residuals.length - 2 * shared.length - 1;
  if (freedom < LEAST_FREEDOM) return null;
  const noise = withoutTrend(residuals);
  const variance = (sum(noise.map((value) => value ** 2)) / freedom) * persistence(noise);
  const error = Math.sqrt(variance / whole);
  const [was, is] = [weighed(before), weighed(after)];
  return { before: was, after: is, certainty: error > 0 ? asNormal((is - was) / error, freedom) : 0 };
}

/** A t value as one of the normal distribution that is as rare (Wallace, 1959): short spans are no surer than long ones. */
const asNormal = (t: number, freedom: number): number =>
  Math.sign(t) * Math.sqrt(freedom * Math.log1p(t ** 2 / freedom)) * ((8 * freedom + 1) / (8 * freedom + 3));

/** Prompts that stand on both sides are compared by themselves, the others together. */
function sidesOf(before: Judged[], after: Judged[], value: (group: Judged) => number): Sides {
  const [had, has] = [before, after].map((groups) => new Set(groups.map(({ prompt }) => prompt)));
  const valued = (group: Judged): Value => {
    const returns = had!.has(group.prompt) && has!.has(group.prompt);
    return { value: value(group), stratum: returns ? group.prompt : null };
  };
  return [before.map(valued), after.map(valued)];
}

/** What the latest `span` groups show against as many before them; null where there are not enough. */
function compare(groups: readonly Judged[], span: number): Divergence | null {
  if (groups.length < 2 * span) return null;
  const before = groups.slice(-2 * span, -span);
  const after = groups.slice(-span);
  const reward = changeOf(sidesOf(before, after, (group) => group.reward));
  const heldOut = changeOf(sidesOf(before, after, (group) => group.heldOut));
  return reward && heldOut && { groups: span, reward, heldOut };
}

/** How often a span is looked at, of its own length: it shows little new between two groups. */
const LOOKS = 8;

/** Over those spans that are looked at when `count` groups have come in all, shortest first. */
export const changesAt = (count: number, groups: readonly Judged[]): Divergence[] =>
  SPANS.filter((span) => count % (span / LOOKS) === 0).flatMap((span) => compare(groups, span) ?? []);

export const isGamed = ({ reward, heldOut }: Divergence): boolean =>
  reward.certainty >= CERTAINTY && heldOut.certainty <= -CERTAINTY;
