/** Best of N: seeds that have nothing to do with each other, and every combination of the other values as often. */
import { z } from 'zod';
import { shuffled } from '../../lib/random.ts';
import type { Axis } from '../study/spec.ts';
import type { Value } from '../study/types.ts';
import { type Draft, draftOf, drawn, type Strategy, type View } from './strategy.ts';

/** More combinations than these are drawn one by one. */
const MOST_LISTED = 4096;

/** All combinations of the listed values. */
function combinationsOf(axes: readonly (readonly [string, Axis])[]): Record<string, Value>[] {
  let all: Record<string, Value>[] = [{}];
  for (const [name, axis] of axes)
    if ('values' in axis) all = all.flatMap((before) => axis.values.map((v) => ({ ...before, [name]: v })));
  return all;
}

/** Parameters of the n-th trial: each round goes once through all combinations, in an order of its own. */
function parametersBy({ spec, random }: View): (n: number) => Record<string, Value> {
  const axes = Object.entries(spec.axes);
  const size = axes.reduce((count, [, axis]) => count * ('values' in axis ? axis.values.length : 1), 1);
  const isListed = size <= MOST_LISTED;
  const listed = isListed ? axes.filter(([, axis]) => 'values' in axis) : [];
  const rest = axes.filter(([name]) => !listed.some(([other]) => other === name));
  const combinations = combinationsOf(listed);
  let last: { round: number; order: Record<string, Value>[] } | undefined;
  return (n) => {
    const round = Math.floor(n / size);
    if (last?.round !== round) last = { round, order: shuffled(combinations, random(round)) };
    const own = random(2 ** 31 + n);
    return {
      ...last.order[n % combinations.length]!,
      ...Object.fromEntries(rest.map(([name, axis]) => [name, drawn(axis, own)])),
    };
  };
}

/** The trials from the `at`-th on. */
export function independent(view: View, at: number, n: number): Draft[] {
  const parametersOf = parametersBy(view);
  return Array.from({ length: n }, (_, i) => draftOf(view, view.seed(at + i), parametersOf(at + i)));
}

export const bestOfN: Strategy<Record<string, never>> = {
  summary: 'makes images of fresh seeds and keeps the best',
  options: z.strictObject({}),
  next: (view, _, n) => independent(view, view.trials.length, n),
};
