/** The first K above a threshold: no image more is made once there are enough good ones. */
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import { imagesOf } from '../study/pick.ts';
import { independent } from './best-of-n.ts';
import type { Strategy } from './strategy.ts';

export const first: Strategy<{ least: number }> = {
  summary: 'stops as soon as there are enough images of at least this value (least=)',
  options: z.strictObject({ least: z.number() }),
  check({ pick }) {
    if (pick.length > 1)
      throw fail('STUDY_INVALID', {
        field: 'pick',
        reason: 'a least value is of one measure, and this names several',
      });
  },
  next: (view, _, n) => independent(view, view.trials.length, n),
  isEnough: ({ trials, spec }, { least }) =>
    trials
      .flatMap(({ outcome }) => imagesOf(outcome))
      .filter(
        ({ values, rejected }) => !rejected && (values[spec.pick[0]!] ?? Number.NEGATIVE_INFINITY) >= least,
      ).length >= spec.keep,
};
