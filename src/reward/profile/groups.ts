/** Rewards that are compared with each other: missing ones get their place, groups their figures. Pure. */
import type { MissingRule } from '../../types/profile.ts';
import type { Advantage, RewardGroup, RewardItem } from '../../types/reward.ts';
import type { Composed } from './compose.ts';

/** Added to a standard deviation before it divides, as GRPO trainers do. */
const EPSILON = 1e-4;
/** Below this the rewards of a group are equal, but for rounding. */
const EQUAL = 1e-6;

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function deviation(values: number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** In order of their first image. */
export const groupsOf = <T extends Pick<RewardItem, 'group'>>(items: T[]): Map<string | null, T[]> =>
  Map.groupBy(items, ({ group }) => group);

/** What is missing gets the place that the rule gives it. @param group all of one group */
export function placed(group: Composed[], rule: MissingRule): RewardItem[] {
  const own = group.flatMap(({ reward }) => reward ?? []);
  const [applied, reward] = substitute(rule, own);
  return group.map((item) =>
    item.missing ? { ...item, reward, missing: { ...item.missing, applied } } : { ...item, missing: null },
  );
}

function substitute(rule: MissingRule, own: number[]): ['leave-out' | 'worst' | 'floor', number | null] {
  if (typeof rule === 'object') return ['floor', rule.floor];
  return rule === 'worst' && own.length > 0 ? ['worst', Math.min(...own)] : ['leave-out', null];
}

/** @param items all of one group */
export function figuresOf(group: string | null, items: RewardItem[]): RewardGroup {
  const rewards = items.flatMap(({ reward }) => reward ?? []);
  // An image that never came has no bytes, and is like no other.
  const known = items.filter(({ sha256, error }) => sha256 !== null && error?.code !== 'IMAGE_EMPTY');
  const equal = [
    ...Map.groupBy(known, ({ sha256, width, height }) => `${sha256} ${width}x${height}`).values(),
  ];
  const std = rewards.length > 0 ? deviation(rewards) : null;
  return {
    group,
    count: items.length,
    used: rewards.length,
    mean: rewards.length > 0 ? mean(rewards) : null,
    std,
    zeroVariance: std === null || std < EQUAL,
    duplicates: equal.filter((images) => images.length > 1).map((images) => images.map(({ id }) => id)),
    nearBlank: items
      .filter(({ guards }) => guards.some(({ guard }) => guard === 'blank'))
      .map(({ id }) => id),
  };
}

/** Of each value its distance from the mean, in standard deviations; 0 where all are equal. */
function zscores(values: number[]): number[] {
  const [middle, std] = [mean(values), deviation(values)];
  return values.map((value) => (std < EQUAL ? 0 : (value - middle) / (std + EPSILON)));
}

/** Of each value its rank, from −1 to 1; equal values share theirs. */
function ranks(values: number[]): number[] {
  const count = values.length;
  const below = (value: number) => values.filter((other) => other < value).length;
  const equal = (value: number) => values.filter((other) => other === value).length;
  return values.map((value) => (count < 2 ? 0 : (2 * below(value) + equal(value) - 1) / (count - 1) - 1));
}

/** Each component by itself, and then weighed; what stands for a missing reward is as far out as the rule puts it. */
function zscoresOfEach(items: RewardItem[]): number[] {
  if (items.some(({ missing }) => missing)) return zscores(items.map(({ reward }) => reward!));
  const names = Object.keys(items[0]?.components ?? {});
  const columns = names.map((name) => {
    const weight = items[0]!.components[name]!.weight;
    return zscores(items.map(({ components }) => components[name]!.value!)).map((z) => weight * z);
  });
  return items.map((_, i) => columns.reduce((sum, column) => sum + column[i]!, 0));
}

const METHODS: Record<Advantage, (items: RewardItem[]) => number[]> = {
  zscore: (items) => zscores(items.map(({ reward }) => reward!)),
  rank: (items) => ranks(items.map(({ reward }) => reward!)),
  'zscore-each': zscoresOfEach,
};

/** @param items all of one group; those without a reward have no advantage either */
export function withAdvantages(items: RewardItem[], method: Advantage | undefined): RewardItem[] {
  if (method === undefined) return items;
  const used = items.filter(({ reward }) => reward !== null);
  const advantages = new Map(METHODS[method](used).map((advantage, i) => [used[i]!, advantage]));
  return items.map((item) => ({ ...item, advantage: advantages.get(item) ?? null }));
}
