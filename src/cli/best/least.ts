/** `--least`: a value that no image can have would make images until the budget is spent, and one that all have none. */
import type { StudySpec } from '../../loops/study/spec.ts';
import type { Known } from '../../reward/model/catalog.ts';
import type { Aspect } from '../../types/aspect.ts';
import { usage } from '../input/flags.ts';

/** @param of what it is the least of, by that scorer. @throws USAGE */
export function checkLeast(
  { strategy, pick }: StudySpec,
  of: Aspect | 'reward',
  { id, aspects }: Known['manifest'],
): void {
  const { least } = strategy as { least?: number };
  if (least === undefined) return;
  const [low, high] = of === 'reward' ? [0, 1] : aspects[of]!.range;
  if (least < low || least > high)
    throw usage(`--least ${least}: ${pick[0]} goes from ${low} to ${high} (scorer ${id})`);
}
