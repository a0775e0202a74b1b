/** A calibration from what a judge said and what people said of the same images. Pure. */
import { quantile } from '../lib/bootstrap.ts';
import { randomFrom, shuffled } from '../lib/random.ts';
import { type AspectCalibration, scoreOf } from './calibrate.ts';
import type { AspectSpec } from './model/manifest.ts';

/** One rated image. */
export interface Said {
  /** What the judge said before it was calibrated: an output row, as its aspect has them. */
  row: number[];
  /** Mean and spread of that; no spread where the judge tells none. */
  raw: number;
  spread: number | undefined;
  /** What people said, in the range of the judge. */
  mos: number;
  /** Images of one group are in one fold: those of a prompt are alike. */
  group: string;
}

/** What the calibration of the other folds makes of an image: what it is worth for images that are new. */
export interface Foreseen {
  score: number;
  interval: [number, number];
}

export interface Fit {
  calibration: AspectCalibration;
  /** In the order of the images. */
  foreseen: Foreseen[];
  /** Number of the fold of each image. */
  folds: number[];
}

const COVERAGE = 0.9;
const FOLDS = 5;
/** Fewer say nothing of an interval. */
export const LEAST_RATED = 30;
/** Images whose mean makes a knot, about, and most knots. */
const IMAGES_A_KNOT = 15;
const MOST_KNOTS = 9;
/** A model that is sure of one word is not that sure of what people say. */
const LEAST_SPREAD = 0.25;
const QUANTILES = 101;

type Curve = AspectCalibration['map'];
const NO_INTERVAL = { coverage: 0, scale: 0, leastSpread: LEAST_SPREAD };

interface Block {
  n: number;
  raw: number;
  mos: number;
}

/** Means of images of similar raw value; equal ones stay together. */
function blocksOf(said: readonly Said[]): Block[] {
  const sorted = [...said].sort((a, b) => a.raw - b.raw);
  const knots = Math.min(MOST_KNOTS, Math.max(2, Math.round(said.length / IMAGES_A_KNOT)));
  const blocks: Block[] = [];
  for (const [i, { raw, mos }] of sorted.entries()) {
    const last = blocks.at(-1);
    const isOpen = last && (last.n < sorted.length / knots || raw === sorted[i - 1]!.raw);
    if (isOpen) Object.assign(last, joined(last, { n: 1, raw, mos }));
    else blocks.push({ n: 1, raw, mos });
  }
  return blocks;
}

const joined = (a: Block, b: Block): Block => {
  const n = a.n + b.n;
  return { n, raw: (a.n * a.raw + b.n * b.raw) / n, mos: (a.n * a.mos + b.n * b.mos) / n };
};

/** The rising curve through the blocks that is nearest to their means: neighbours that fall are pooled. Null: it does not rise. */
function curveOf(said: readonly Said[]): Curve | null {
  const pooled: Block[] = [];
  for (let block of blocksOf(said)) {
    while (pooled.length > 0 && pooled.at(-1)!.mos >= block.mos) block = joined(pooled.pop()!, block);
    pooled.push(block);
  }
  const [x, y] = [pooled.map(({ raw }) => round(raw)), pooled.map(({ mos }) => round(mos))];
  const rises = x.every((value, i) => i === 0 || (value > x[i - 1]! && y[i]! > y[i - 1]!));
  return pooled.length > 1 && rises ? { x, y } : null;
}

const round = (value: number): number => Number(value.toFixed(5));

/** The (n + 1) · coverage-th smallest of them (split conformal prediction; Lei et al., 2018). */
function conformal(ratios: readonly number[]): number {
  const rank = Math.min(ratios.length, Math.ceil((ratios.length + 1) * COVERAGE));
  return round([...ratios].sort((a, b) => a - b)[rank - 1]!);
}

/** Rising by the least step, so that a score has one percentile. */
function quantilesOf(scores: readonly number[]): number[] {
  const sorted = Float64Array.from(scores).sort();
  const found: number[] = [];
  for (let i = 0; i < QUANTILES; i++)
    found.push(Math.max(round(quantile(sorted, i / (QUANTILES - 1))), (found.at(-1) ?? 0) + 1e-5));
  return found;
}

/** A fold for each image, groups whole; images alone where there are too few groups. */
function foldsOf(all: readonly Said[]): number[] {
  const isFew = new Set(all.map(({ group }) => group)).size < FOLDS;
  const said = all.map(({ group }, i) => ({ group: isFew ? String(i) : group }));
  const groups = shuffled([...new Set(said.map(({ group }) => group))].sort(), randomFrom(1));
  const fold = new Map(groups.map((group, i) => [group, i % FOLDS]));
  return said.map(({ group }) => fold.get(group)!);
}

/**
 * Fits the map from raw values to ratings, and the interval to what it misses of folds that it has not seen.
 *
 * @returns null when the judge's values do not rise with the ratings, in all images or in those of a fold
 */
export function fitted(spec: AspectSpec, said: readonly Said[]): Fit | null {
  const map = curveOf(said);
  const folds = foldsOf(said);
  const curves = Array.from({ length: FOLDS }, (_, k) => curveOf(said.filter((_, i) => folds[i] !== k)));
  if (!map || !curves.every((curve) => curve !== null)) return null;
  const scoreBy = (curve: Curve, { row }: Said, interval: AspectCalibration['interval'] = NO_INTERVAL) =>
    scoreOf(spec, { map: curve, interval, quantiles: [...spec.range] }, row);
  const misses = said.map((one, i) => {
    const { score } = scoreBy(curves[folds[i]!]!, one);
    return Math.abs(score - one.mos) / Math.max(one.spread ?? 1, LEAST_SPREAD);
  });
  const intervalBy = (ratios: number[]) => ({
    ...{ coverage: COVERAGE, scale: conformal(ratios), leastSpread: LEAST_SPREAD },
  });
  const foldIntervals = curves.map((_, k) => intervalBy(misses.filter((_, i) => folds[i] !== k)));
  const foreseen = said.map((one, i) => {
    const { score, interval } = scoreBy(curves[folds[i]!]!, one, foldIntervals[folds[i]!]!);
    return { score, interval: interval! };
  });
  const quantiles = quantilesOf(said.map((one) => scoreBy(map, one).score));
  return { calibration: { map, interval: intervalBy(misses), quantiles }, foreseen, folds };
}
