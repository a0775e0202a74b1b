/**
 * Neighbours of the best: a few seeds by chance, then small steps away from the best so far, which keep its seed. What is
 * near is said by axes: a number moves a little along its range (the strength of a variation seed, say), of a list
 * another value is taken now and then. After a round that found nothing better, one goes by chance again: where nothing
 * near is better, that loses little.
 */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import type { Axis } from '../study/spec.ts';
import type { TrialState, Value } from '../study/types.ts';
import { independent } from './best-of-n.ts';
import { type Draft, draftOf, drawn, placed, type Strategy, type View } from './strategy.ts';

const options = z.strictObject({
  /** Trials by chance, before there is a best. */
  first: z.int().min(1).default(8),
  /** How far a number moves, as a share of its range; less with every round that finds nothing better. */
  step: z.number().gt(0).max(1).default(0.2),
  /** Neighbours of one best, before the best is looked for anew. */
  round: z.int().min(1).default(4),
});
type Options = z.infer<typeof options>;

function moved(axis: Axis, value: Value, step: number, random: () => number): Value {
  if ('values' in axis) return random() < step ? drawn(axis, random) : value;
  return placed(axis, Number(value) + (2 * random() - 1) * step * (axis.high - axis.low));
}

const bestOf = (view: View): TrialState | undefined =>
  view.trials
    .filter((state) => view.value(state) !== null)
    .reduce<TrialState | undefined>(
      (best, state) => (best && view.value(best)! >= view.value(state)! ? best : state),
      undefined,
    );

/** Half as far for each round since the best was found. */
function stepAt(view: View, best: TrialState, { step, round }: Options): number {
  const since = view.trials.filter(({ trial }) => trial.from === best.trial.id).length;
  return step / 2 ** Math.floor(since / round);
}

/** Whether the round before was near the best, and found nothing better. */
function isRoundByChance({ trials }: View, best: TrialState, { first, round }: Options): boolean {
  const before = trials.slice(first).slice(-round);
  return before.length > 0 && before.every(({ trial }) => trial.from !== null) && !before.includes(best);
}

function neighbour(view: View, best: TrialState, options: Options, n: number): Draft {
  const random = view.random(n);
  const step = stepAt(view, best, options);
  const parameters = Object.entries(view.spec.axes).map(
    ([name, axis]) => [name, moved(axis, best.trial.parameters[name]!, step, random)] as const,
  );
  return draftOf(view, best.trial.seed, Object.fromEntries(parameters), { from: best.trial.id });
}

export const neighbours: Strategy<Options> = {
  summary: 'tries a few seeds, then values near those of the best, with its seed',
  options,
  check({ axes }) {
    if (!Object.values(axes).some((axis) => 'low' in axis))
      throw fail('STUDY_INVALID', {
        field: 'axes',
        reason: 'neighbours need a range to move in, from a low to a high value',
      });
  },
  next(view, options, n) {
    const at = view.trials.length;
    if (at < options.first) return independent(view, at, Math.min(n, options.first - at));
    // A round is told before the next one begins, so that the order of the answers does not matter.
    const inRound = (at - options.first) % options.round;
    if (inRound === 0 && view.trials.some(({ outcome }) => outcome === null)) return [];
    const known = { ...view, trials: view.trials.slice(0, at - inRound), value: view.value };
    const best = bestOf(known);
    if (!best || isRoundByChance(known, best, options))
      return independent(view, at, Math.min(n, options.round - inRound));
    return Array.from({ length: Math.min(n, options.round - inRound) }, (_, i) =>
      neighbour(known, best, options, at + i),
    );
  },
};
