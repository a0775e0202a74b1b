/**
 * Neighbours of the best: a few seeds by chance, then small steps away from the best so far, which keep its seed. What is
 * near is said by axes: a number moves a little along its range (the strength of a variation seed, say), of a list
 * another value is taken now and then. Neighbours are tried one at a time, ever more rarely, until those of this study
 * turn out better than chance is; whole rounds of them come only then. After one that found nothing better, one goes by
 * chance again.
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
  // Not nearer than half of the step: that would be much the same picture. At an end of the range the other way.
  const far = ((1 + random()) / 2) * step * (axis.high - axis.low);
  const by = random() < 0.5 ? far : -far;
  const to = Number(value) + by;
  return placed(axis, to < axis.low || to > axis.high ? Number(value) - by : to);
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

/** Errors of the difference to chance that make neighbours worth whole rounds. */
const SURE = 1.5;

/** Whether neighbours of the best are better than chance, by more than what few of them come to by chance. */
function areNearOnesBetter(view: View): boolean {
  const byId = new Map(view.trials.map((state) => [state.trial.id, state]));
  const [near, chance]: [number[], number[]] = [[], []];
  for (const state of view.trials) {
    const value = view.value(state);
    const parent = state.trial.from === null ? undefined : byId.get(state.trial.from);
    if (value === null) continue;
    if (!parent) chance.push(value);
    // The same picture again tells nothing of others.
    else if (value !== view.value(parent)) near.push(value);
  }
  if (near.length === 0 || chance.length < 2) return false;
  const middle = meanOf(chance);
  const squares = chance.reduce((sum, x) => sum + (x - middle) ** 2, 0);
  const error = Math.sqrt((squares / (chance.length - 1)) * (1 / near.length + 1 / chance.length));
  return meanOf(near) - middle > SURE * error;
}

const meanOf = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** Whether one neighbour is tried in a round, from 0, of those that go by chance: in the second, third, fifth, ninth. */
const isTrialRound = (round: number): boolean => Number.isInteger(Math.log2(round));

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
    const count = Math.min(n, options.round - inRound);
    const round = (at - options.first - inRound) / options.round;
    const isNear = best && areNearOnesBetter(known) && !isRoundByChance(known, best, options);
    const tried = best && inRound === 0 && isTrialRound(round) ? 1 : 0;
    const near = isNear ? count : tried;
    return Array.from({ length: count }, (_, i) =>
      i < near ? neighbour(known, best!, options, at + i) : independent(view, at + i, 1)[0]!,
    );
  },
};
