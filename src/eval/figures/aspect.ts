/** The figures of one aspect. */

import { bootstrap, clusterIds, type Interval } from '../../lib/bootstrap.ts';
import { krcc, mean, plcc, ranks, rmse, srcc } from '../../lib/metrics.ts';
import { weightedPlcc, weightedSrcc, weightedWithin } from '../../lib/weighted.ts';
import { type BestOfN, bestOfN } from './best-of-n.ts';
import { coverageOf, type ScoreBin, scoreBins } from './calibration.ts';
import { familyOf, groupBy, type Pair } from './pairs.ts';
import type { Scale } from './scale.ts';

/** Agreement of one aspect's scores with its ratings; null where a figure is undefined for this set. */
export interface Figures {
  srcc: number | null;
  plcc: number | null;
  krcc: number | null;
  rmse: number | null;
  /** Mean SRCC inside the generators with enough images: a scorer that only tells generators apart gets 0. */
  withinGenerator: number | null;
  /** Share of ratings inside the prediction interval, 0..1. */
  coverage: number | null;
  n: number;
}

/** 95 % bootstrap intervals. */
export type FigureIntervals = Record<'srcc' | 'plcc' | 'withinGenerator', Interval | null>;

export interface GeneratorRow {
  generator: string;
  n: number;
  srcc: number | null;
  coverage: number | null;
  meanMos: number;
  meanScore: number;
}

export interface Miss {
  name: string;
  generator: string | null;
  score: number;
  mos: number;
  interval: [number, number];
  guards: string[];
}

/** The images with the largest gap: score minus MOS, or gap in rank where the scales differ. Largest first. */
export interface Misses {
  by: 'difference' | 'rank';
  scoredTooHigh: Miss[];
  scoredTooLow: Miss[];
}

/** Everything that is reported of one aspect. */
export interface AspectReport {
  figures: Figures;
  ci: FigureIntervals;
  scale: Scale;
  generators: GeneratorRow[];
  calibration: ScoreBin[];
  bestOf: { prompt: BestOfN[] | null; promptAndFamily: BestOfN[] | null };
  worst: Misses;
}

/** A rank correlation of fewer images says little. */
export const LEAST_IMAGES = 5;
const MISSES = 10;

const scores = (pairs: readonly Pair[]) => Float64Array.from(pairs, (p) => p.score);
const ratings = (pairs: readonly Pair[]) => Float64Array.from(pairs, (p) => p.mos);

/**
 * Works out all figures of one aspect.
 *
 * @param over what the bootstrap draws: prompts with all their images, or single images
 */
export function reportAspect(pairs: readonly Pair[], scale: Scale, over: 'prompts' | 'images'): AspectReport {
  const generators = generatorRows(pairs, scale.comparable);
  const byFamily = (p: Pair) =>
    p.prompt === null || p.generator === null ? null : JSON.stringify([p.prompt, familyOf(p.generator)]);
  return {
    figures: figuresOf(pairs, scale.comparable),
    ci: intervalsOf(pairs, over),
    scale,
    generators,
    calibration: scoreBins(pairs, scale.statedCoverage, scale.comparable),
    bestOf: { prompt: bestOfN(pairs, (p) => p.prompt), promptAndFamily: bestOfN(pairs, byFamily) },
    worst: missesOf(pairs, scale.comparable),
  };
}

/** @param comparable whether scores and ratings are in one scale; RMSE and coverage are null otherwise */
export function figuresOf(pairs: readonly Pair[], comparable: boolean): Figures {
  const x = scores(pairs);
  const y = ratings(pairs);
  const within = generatorRows(pairs, comparable).flatMap((row) => (row.srcc === null ? [] : [row.srcc]));
  return {
    srcc: srcc(x, y),
    plcc: plcc(x, y),
    krcc: krcc(x, y),
    rmse: comparable ? rmse(x, y) : null,
    withinGenerator: mean(within),
    coverage: comparable ? coverageOf(pairs) : null,
    n: pairs.length,
  };
}

/** 95 % intervals for the correlations, over prompts (images without one count alone) or over images. */
export function intervalsOf(pairs: readonly Pair[], over: 'prompts' | 'images'): FigureIntervals {
  const x = scores(pairs);
  const y = ratings(pairs);
  const indexed = pairs.map(({ generator }, index) => ({ generator, index }));
  const groups = [...groupBy(indexed, (p) => p.generator).values()]
    .filter((g) => g.length >= LEAST_IMAGES)
    .map((g) => Uint32Array.from(g, (p) => p.index));
  const clusters = clusterIds(pairs.map((p, i) => (over === 'prompts' && p.prompt !== null ? p.prompt : i)));
  const [srcc, plcc, withinGenerator] = bootstrap(clusters, [
    weightedSrcc(x, y),
    weightedPlcc(x, y),
    weightedWithin(x, y, groups),
  ]);
  return { srcc: srcc!, plcc: plcc!, withinGenerator: withinGenerator! };
}

function generatorRows(pairs: readonly Pair[], comparable: boolean): GeneratorRow[] {
  const groups = [...groupBy(pairs, (p) => p.generator)].sort(([a], [b]) => (a < b ? -1 : 1));
  return groups.map(([generator, own]) => ({
    generator,
    n: own.length,
    srcc: own.length >= LEAST_IMAGES ? srcc(scores(own), ratings(own)) : null,
    coverage: comparable ? coverageOf(own) : null,
    meanMos: mean(ratings(own))!,
    meanScore: mean(scores(own))!,
  }));
}

function missesOf(pairs: readonly Pair[], comparable: boolean): Misses {
  const rank = { score: ranks(scores(pairs)), mos: ranks(ratings(pairs)) };
  const gaps = pairs.map((pair, i) => ({
    gap: comparable ? pair.score - pair.mos : rank.score[i]! - rank.mos[i]!,
    miss: missOf(pair),
  }));
  gaps.sort((a, b) => b.gap - a.gap);
  return {
    by: comparable ? 'difference' : 'rank',
    scoredTooHigh: gaps
      .filter((g) => g.gap > 0)
      .slice(0, MISSES)
      .map((g) => g.miss),
    scoredTooLow: gaps
      .filter((g) => g.gap < 0)
      .slice(-MISSES)
      .reverse()
      .map((g) => g.miss),
  };
}

const missOf = ({ name, generator, score, mos, interval, guards }: Pair): Miss => ({
  name,
  generator,
  score,
  mos,
  interval,
  guards: guards.map((g) => g.guard),
});
