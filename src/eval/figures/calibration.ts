/** Whether scores and their intervals mean what they say: against the ratings, from the lowest scores to the highest. */
import { quantile } from '../../lib/bootstrap.ts';
import { mean } from '../../lib/metrics.ts';
import type { Pair } from './pairs.ts';

/** Images of similar score. */
export interface ScoreBin {
  /** Lowest and highest score. */
  scores: [number, number];
  n: number;
  /** Mean score. */
  score: number;
  /** Mean MOS; equals `score` when the scorer is calibrated. */
  mos: number;
  /** The middle of the ratings: as many of them lie inside as the scorer says its intervals hold. */
  mosSpread: [number, number];
  /** Mean ends of the prediction intervals; equals `mosSpread` when they are as wide as they should be. */
  interval: [number, number];
  /** Share of ratings inside their image's interval, 0..1; null when the scales differ. */
  coverage: number | null;
}

const BINS = 10;
/** Fewer images make a mean and a spread too shaky to read. */
const LEAST_IMAGES = 5;

/** Share of ratings inside their image's prediction interval, 0..1; null for no pairs. */
export const coverageOf = (pairs: readonly Pair[]): number | null =>
  mean(pairs.map(({ mos, interval }) => Number(mos >= interval[0] && mos <= interval[1])));

/**
 * Splits pairs by score into tenths of equal size as far as equal scores allow, fewer when there are under 50.
 *
 * @param statedCoverage share of ratings that the intervals should hold, 0..1
 * @param comparable whether scores and ratings are in one scale
 */
export function scoreBins(pairs: readonly Pair[], statedCoverage: number, comparable: boolean): ScoreBin[] {
  const sorted = [...pairs].sort((a, b) => a.score - b.score);
  const count = Math.max(1, Math.min(BINS, Math.floor(pairs.length / LEAST_IMAGES)));
  const edge = (k: number): number => {
    let at = Math.round((k * sorted.length) / count);
    // equal scores stay together: which of them came first would decide their bin
    while (at > 0 && at < sorted.length && sorted[at]!.score === sorted[at - 1]!.score) at++;
    return at;
  };
  const bins = Array.from({ length: count }, (_, k) => sorted.slice(edge(k), edge(k + 1)));
  return bins.filter((bin) => bin.length).map((bin) => binOf(bin, statedCoverage, comparable));
}

function binOf(bin: Pair[], statedCoverage: number, comparable: boolean): ScoreBin {
  const mos = Float64Array.from(bin, (p) => p.mos).sort();
  const tail = (1 - statedCoverage) / 2;
  return {
    scores: [bin[0]!.score, bin.at(-1)!.score],
    n: bin.length,
    score: mean(bin.map((p) => p.score))!,
    mos: mean(mos)!,
    mosSpread: [quantile(mos, tail), quantile(mos, 1 - tail)],
    interval: [mean(bin.map((p) => p.interval[0]))!, mean(bin.map((p) => p.interval[1]))!],
    coverage: comparable ? coverageOf(bin) : null,
  };
}
