/** What is known of the scores of any image before it is made: how the reference images of the scorer are spread. */
import { ASPECTS, type Aspect, type AspectScore } from '../types/aspect.ts';
import { type Calibration, rewardOf } from './calibrate.ts';
import type { Manifest } from './model/manifest.ts';

/** An aspect at one of the equal steps of its percentile. */
function scoreAt(
  { aspects }: Manifest,
  calibration: Calibration,
  aspect: Aspect,
  share: number,
): AspectScore | null {
  const [spec, quantiles] = [aspects[aspect], calibration.aspects[aspect]?.quantiles];
  if (!spec || !quantiles) return null;
  const score = quantiles[Math.round(share * (quantiles.length - 1))]!;
  return { score, range: spec.range, percentile: share, interval: [score, score], coverage: 0 };
}

const STEPS = 50;

/**
 * Mean and standard deviation of an aspect, or of the reward as if the aspects of an image were equally good.
 *
 * @returns null for what the scorer does not give
 */
export function expectedOf(
  manifest: Manifest,
  calibration: Calibration,
  of: Aspect | 'reward',
): { mean: number; spread: number } | null {
  const values = Array.from({ length: STEPS }, (_, i) => {
    const at = (aspect: Aspect) => scoreAt(manifest, calibration, aspect, (i + 0.5) / STEPS);
    if (of !== 'reward') return at(of)?.score ?? null;
    const [quality, alignment, authenticity] = ASPECTS.map(at) as [
      AspectScore | null,
      AspectScore | null,
      AspectScore | null,
    ];
    return rewardOf({ quality, alignment, authenticity }, manifest.reward);
  }).filter((value) => value !== null);
  if (values.length < STEPS) return null;
  const mean = values.reduce((a, b) => a + b, 0) / STEPS;
  const spread = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / STEPS);
  return spread > 0 ? { mean, spread } : null;
}
