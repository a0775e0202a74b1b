/**
 * Successive halving: many cheap drafts first, and whole images of the seeds whose drafts are best. All of a rung is
 * known before the next one begins.
 *
 * @see K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016
 */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import type { TrialState } from '../study/types.ts';
import { independent } from './best-of-n.ts';
import { type Draft, FULL, type Strategy, type View } from './strategy.ts';

const options = z.strictObject({
  /** Work of a draft, as shares of a whole image: a rung each, before the whole ones. */
  efforts: z.array(z.number().gt(0).lt(1)).min(1).default([0.25]),
  /** One in so many goes on from a rung to the next. */
  cut: z.int().min(2).default(4),
});
type Options = z.infer<typeof options>;

/** Trials a rung, so that all rungs together cost what may be spent. */
function sizesOf({ spec }: View, { efforts, cut }: Options): number[] {
  const rungs = [...efforts, 1];
  const each = rungs.reduce((sum, effort, rung) => sum + effort / cut ** rung, 0);
  const first = Math.max(1, Math.floor(spec.images / each));
  return rungs.map((_, rung) => Math.max(1, Math.floor(first / cut ** rung)));
}

const isOf = (rung: number, options: Options, { trial }: TrialState): boolean =>
  trial.stage.effort === (options.efforts[rung] ?? 1);

/** Those of a rung that go on, best first; behind them drafts that have no value: finished, they may have one. */
function promoted(view: View, states: readonly TrialState[], n: number): TrialState[] {
  const made = states.filter(({ outcome }) => outcome && !('failed' in outcome));
  const scored = made.filter((state) => view.value(state) !== null);
  const others = made.filter((state) => view.value(state) === null);
  return [...scored.toSorted((a, b) => view.value(b)! - view.value(a)!), ...others].slice(0, n);
}

function draftsOf(view: View, options: Options, rung: number, size: number): Draft[] {
  const stage =
    rung < options.efforts.length ? { name: `draft ${rung + 1}`, effort: options.efforts[rung]! } : FULL;
  if (rung === 0) return independent(view, 0, size).map((draft) => ({ ...draft, stage }));
  const before = view.trials.filter((state) => isOf(rung - 1, options, state));
  return promoted(view, before, size).map(({ trial: { id, ...trial } }) => ({ ...trial, stage, from: id }));
}

export const halving: Strategy<Options> = {
  summary: 'makes many drafts of few steps, and finishes those that promise most',
  options,
  check({ images }, { efforts }) {
    if (efforts.some((effort, i) => effort <= (efforts[i - 1] ?? 0)))
      throw fail('STUDY_INVALID', {
        field: 'strategy.efforts',
        reason: 'each must be more than the one before',
      });
    if (images < 2) throw fail('STUDY_INVALID', { field: 'images', reason: 'halving needs at least 2' });
  },
  next(view, options, n) {
    for (const [rung, size] of sizesOf(view, options).entries()) {
      const own = view.trials.filter((state) => isOf(rung, options, state));
      if (own.length === 0) return draftsOf(view, options, rung, size).slice(0, n);
      const planned = draftsOf(view, options, rung, size);
      if (own.length < planned.length) return planned.slice(own.length, own.length + n);
      // A rung is judged as a whole.
      if (own.some(({ outcome }) => outcome === null)) return [];
    }
    return [];
  },
};
