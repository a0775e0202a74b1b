/**
 * Whether the reward rises while a held-out score falls: the sign that a policy has found what the reward overrates.
 * Pure. `npm run bench:monitor` measures how often it is wrong, and how soon it is right.
 */
import type { Change, Divergence } from '../../types.ts';

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
const CERTAINTY = 3.5;
/** Least degrees of freedom that a standard error is believed with. */
const LEAST_FREEDOM = 12;

/** The values of one prompt, or of all that stand alone, before and after. */
type Stratum = [before: number[], after: number[]];

const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);
const mean = (values: number[]): number => sum(values) / values.length;

/** Sum of the squared distances from the mean. */
function squares(values: number[]): number {
  const middle = mean(values);
  return sum(values.map((value) => (value - middle) ** 2));
}

/**
 * The mean before and after, by prompt where it stands on both sides, since prompts differ more from each other than a
 * policy moves in a few steps; and the change in standard errors. Null where nothing can be compared.
 */
function changeOf(strata: Stratum[]): Change | null {
  const both = strata.filter(([before, after]) => before.length > 0 && after.length > 0);
  const count = sum(both.map(([before, after]) => before.length + after.length));
  const freedom = count - 2 * both.length;
  if (freedom < LEAST_FREEDOM) return null;
  const variance = sum(both.flat().map(squares)) / freedom;
  const weights = both.map(
    ([before, after]) => (before.length * after.length) / (before.length + after.length),
  );
  const whole = sum(weights);
  const weighed = (side: 0 | 1) => sum(both.map((stratum, i) => weights[i]! * mean(stratum[side]))) / whole;
  const [before, after] = [weighed(0), weighed(1)];
  const error = Math.sqrt(variance / whole);
  return { before, after, certainty: error > 0 ? asNormal((after - before) / error, freedom) : 0 };
}

/** A t value as one of the normal distribution that is as rare (Wallace, 1959): short spans are no surer than long ones. */
const asNormal = (t: number, freedom: number): number =>
  Math.sign(t) * Math.sqrt(freedom * Math.log1p(t ** 2 / freedom)) * ((8 * freedom + 1) / (8 * freedom + 3));

/** Prompts that stand on both sides by themselves, the others together. */
function strataOf(before: Judged[], after: Judged[], value: (group: Judged) => number): Stratum[] {
  const had = new Set(before.map(({ prompt }) => prompt));
  const returned = new Set(after.filter(({ prompt }) => had.has(prompt)).map(({ prompt }) => prompt));
  const strata = new Map<string | null, Stratum>();
  for (const [side, groups] of [before, after].entries())
    for (const group of groups) {
      const name = returned.has(group.prompt) ? group.prompt : null;
      const stratum = strata.get(name) ?? [[], []];
      strata.set(name, stratum);
      stratum[side]!.push(value(group));
    }
  return [...strata.values()];
}

/** What the latest `span` groups show against as many before them; null where there are not enough. */
function compare(groups: readonly Judged[], span: number): Divergence | null {
  if (groups.length < 2 * span) return null;
  const before = groups.slice(-2 * span, -span);
  const after = groups.slice(-span);
  const reward = changeOf(strataOf(before, after, (group) => group.reward));
  const heldOut = changeOf(strataOf(before, after, (group) => group.heldOut));
  return reward && heldOut && { groups: span, reward, heldOut };
}

/** How often a span is looked at, of its own length: it shows little new between two groups. */
const LOOKS = 8;

/** Over those spans that are looked at when `count` groups have come in all, shortest first. */
export const changesAt = (count: number, groups: readonly Judged[]): Divergence[] =>
  SPANS.filter((span) => count % (span / LOOKS) === 0).flatMap((span) => compare(groups, span) ?? []);

export const isGamed = ({ reward, heldOut }: Divergence): boolean =>
  reward.certainty >= CERTAINTY && heldOut.certainty <= -CERTAINTY;
