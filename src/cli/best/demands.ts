/**
 * `--least` and `--price` against what the scorer gives: a value that no image can have would make images until the
 * budget is spent, and one that all have none.
 */
import type { StudySpec } from '../../loops/study/spec.ts';
import type { Known } from '../../reward/model/catalog.ts';
import type { Aspect } from '../../types/aspect.ts';
import { usage } from '../input/flags.ts';

/** @param of what images are picked by, from that scorer. @throws USAGE */
export function checkDemands(
  { strategy, pick, price }: StudySpec,
  of: Aspect | 'reward',
  { id, aspects }: Known['manifest'],
): void {
  const { least } = strategy as { least?: number };
  const [low, high] = of === 'reward' ? [0, 1] : aspects[of]!.range;
  const range = `${pick[0]} goes from ${low} to ${high} (scorer ${id})`;
  if (least !== undefined && (least < low || least > high)) throw usage(`--least ${least}: ${range}`);
  if (price?.of === 'score' && price.amount >= high - low)
    throw usage(`--price ${price.amount}: ${range}; with a % it is a share of how much images differ`);
}
