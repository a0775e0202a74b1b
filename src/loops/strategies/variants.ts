/**
 * Variants as arms of a bandit: every round gives the same fresh seed to all that are left, so that they are compared in
 * pairs, and the worst are dropped at fixed points of the budget; what is left over goes to the best one.
 *
 * @see J.-Y. Audibert, S. Bubeck, R. Munos, "Best arm identification in multi-armed bandits", COLT 2010 (successive
 *   rejects)
 */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import type { TrialState, Value } from '../study/types.ts';
import { type Draft, draftOf, type Strategy, type View } from './strategy.ts';

const options = z.strictObject({
  /** The axis whose values are the arms: `prompt`, or the only list. */
  of: z.string().optional(),
});
type Options = z.infer<typeof options>;

function armsOf(
  { axes }: View['spec'],
  { of }: Options,
): { axis: string; arms: readonly Value[] } | undefined {
  const lists = Object.entries(axes).flatMap(([axis, found]) =>
    'values' in found ? [{ axis, arms: found.values }] : [],
  );
  const named = lists.find(({ axis }) => axis === (of ?? 'prompt'));
  return named ?? (of === undefined && lists.length === 1 ? lists[0] : undefined);
}

/** Rounds after which only so many arms are left: `rounds[k]` for all but `k`. */
function roundsOf(budget: number, count: number): number[] {
  const halves = Array.from({ length: count - 1 }, (_, i) => 1 / (i + 2));
  const scale = 0.5 + halves.reduce((a, b) => a + b, 0);
  return Array.from({ length: count - 1 }, (_, k) =>
    Math.max(1, Math.ceil((budget - count) / scale / (count - k))),
  );
}

/** Mean value of an arm's trials; lowest where it has none. */
function meanOf(view: View, states: readonly TrialState[]): number {
  const values = states.map((state) => view.value(state)).filter((value) => value !== null);
  return values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : Number.NEGATIVE_INFINITY;
}

export const variants: Strategy<Options> = {
  summary:
    'gives variants of one input (prompts, say) the same seeds, and drops the worst one after the other',
  options,
  check(spec, given) {
    const found = armsOf(spec, given);
    if (!found || found.arms.length < 2)
      throw fail('STUDY_INVALID', {
        field: 'strategy.of',
        reason: 'it needs one list of two or more values',
      });
    if (spec.images < found.arms.length)
      throw fail('STUDY_INVALID', {
        field: 'images',
        reason: `it needs one for each of the ${found.arms.length} values`,
      });
  },
  next(view, given, n) {
    const { axis, arms } = armsOf(view.spec, given)!;
    const rounds = roundsOf(view.spec.images, arms.length);
    let left = [...arms];
    let round = 0;
    const ofRound = (arm: Value, at: number) =>
      view.trials.filter(({ trial }) => trial.parameters[axis] === arm && trial.seed === view.seed(at));
    for (const until of rounds) {
      for (; round < until; round++) {
        const missing = left.filter((arm) => ofRound(arm, round).length === 0);
        if (missing.length > 0) return missing.slice(0, n).map((arm) => draftFor(view, axis, arm, round));
      }
      if (view.trials.some(({ outcome }) => outcome === null)) return [];
      const means = new Map(
        left.map((arm) => [
          arm,
          meanOf(
            view,
            view.trials.filter(({ trial }) => trial.parameters[axis] === arm),
          ),
        ]),
      );
      const worst = left.reduce((a, b) => (means.get(b)! < means.get(a)! ? b : a));
      left = left.filter((arm) => arm !== worst);
    }
    const taken = view.trials.filter(({ trial }) => trial.parameters[axis] === left[0]).length;
    return Array.from({ length: n }, (_, i) => draftFor(view, axis, left[0]!, taken + i));
  },
};

/** The other axes stay at the first of their values, so that arms differ in one thing alone. */
function draftFor(view: View, axis: string, arm: Value, round: number): Draft {
  const rest = Object.entries(view.spec.axes).map(
    ([name, other]) => [name, 'values' in other ? other.values[0]! : other.low] as const,
  );
  return draftOf(view, view.seed(round), { ...Object.fromEntries(rest), [axis]: arm });
}
