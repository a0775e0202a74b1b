/** 8 calibrate: raw outputs to MOS, prediction interval, percentile and reward. Pure. */
import { z } from 'zod';
import { ASPECTS, type Aspect, type AspectScore, type Distribution } from '../types/aspect.ts';
import type { AspectSpec, Manifest } from './model/manifest.ts';

const increasing = (values: number[]): boolean => values.every((v, i) => i === 0 || v > values[i - 1]!);
const sorted = (values: number[]): boolean => values.every((v, i) => i === 0 || v >= values[i - 1]!);

const aspectCalibration = z.strictObject({
  map: z
    .strictObject({ x: z.array(z.number()).min(2), y: z.array(z.number()).min(2) })
    .refine((m) => m.x.length === m.y.length && increasing(m.x) && sorted(m.y), 'x and y must rise together')
    .refine((m) => m.y[0] !== m.y.at(-1), 'y must rise: every image would get the same score')
    .describe('piecewise-linear map from the raw mean to MOS; the end slopes go on beyond the ends'),
  interval: z
    .strictObject({
      coverage: z.number().min(0).max(1),
      scale: z.number().min(0),
      leastSpread: z.number().gt(0).optional().describe('a smaller spread counts as this'),
    })
    .describe('prediction interval: score ± scale × spread (split conformal with normalised residuals)'),
  quantiles: z
    .array(z.number())
    .min(2)
    .refine(sorted, 'quantiles must not fall')
    .describe('scores of the reference images at equal steps of the percentile, 0 to 1'),
});

export const calibrationSchema = z.strictObject({
  version: z.literal(1),
  fittedOn: z.string(),
  aspects: z.partialRecord(z.enum(ASPECTS), aspectCalibration),
});

/** How a calibration does not fit its manifest, in words. */
export function* calibrationFaults({ aspects }: Calibration, manifest: Manifest): Generator<string> {
  for (const name of ASPECTS) {
    const spec = manifest.aspects[name];
    if (!spec) continue;
    const [low, high] = spec.range;
    const own = aspects[name];
    if (!own) yield `aspects.${name} is missing`;
    else if (own.quantiles[0]! >= high || own.quantiles.at(-1)! <= low)
      yield `aspects.${name}.quantiles lie outside the range ${low} to ${high}`;
  }
}

/** Raw outputs of one image: for each graph output its row. */
export type RawOutputs = Record<string, number[]>;

export type Calibration = z.infer<typeof calibrationSchema>;
export type AspectCalibration = z.infer<typeof aspectCalibration>;

const clamp = (value: number, [low, high]: [number, number]): number => Math.min(high, Math.max(low, value));

/** Index `i` such that `at` lies between knots `i` and `i + 1`; the outermost pieces reach beyond the ends. */
function pieceOf(knots: number[], at: number): number {
  let i = 0;
  while (i < knots.length - 2 && at > knots[i + 1]!) i++;
  return i;
}

function interpolate(x: number[], y: number[], at: number): number {
  const i = pieceOf(x, at);
  return y[i]! + ((at - x[i]!) * (y[i + 1]! - y[i]!)) / (x[i + 1]! - x[i]!);
}

/** Share of the reference scores below `score`, 0..1, linear between the quantiles. */
function percentileOf(quantiles: number[], score: number): number {
  const steps = quantiles.length - 1;
  if (score <= quantiles[0]!) return 0;
  if (score >= quantiles[steps]!) return 1;
  const i = pieceOf(quantiles, score);
  const width = quantiles[i + 1]! - quantiles[i]!;
  return (i + (width > 0 ? (score - quantiles[i]!) / width : 0)) / steps;
}

/** Probabilities of low precision may come out a little below 0. */
const ROUNDING = 1e-3;

interface Estimate {
  mean: number;
  /** The model's own; undefined when it has none. */
  spread?: number;
  distribution?: Distribution;
}

/** Mean and spread of one output row. */
function estimate(spec: AspectSpec, row: number[]): Estimate {
  if (spec.kind === 'mean') return { mean: row[0]! };
  if (spec.kind === 'mean-spread') {
    if (row[1]! < 0) throw new Error(`output "${spec.output}" has a negative spread (${row[1]})`);
    return { mean: row[0]!, spread: row[1]! };
  }
  const levels = spec.levels!;
  const total = row.reduce((sum, p) => sum + p, 0);
  if (row.some((p) => p < -ROUNDING) || total <= ROUNDING)
    throw new Error(
      `output "${spec.output}" is no distribution: ${row.map((p) => p.toPrecision(3)).join(', ')}`,
    );
  const mean = row.reduce((sum, p, i) => sum + p * levels[i]!, 0) / total;
  const spread = Math.sqrt(row.reduce((sum, p, i) => sum + p * (levels[i]! - mean) ** 2, 0) / total);
  return { mean, spread, distribution: { levels, probabilities: row } };
}

/** @param calibration undefined: the model's own number, of which nothing more is known */
export function scoreOf(
  spec: AspectSpec,
  calibration: AspectCalibration | undefined,
  row: number[],
): AspectScore {
  const { mean, ...more } = estimate(spec, row);
  const { range } = spec;
  if (!calibration)
    return {
      ...{ score: clamp(mean, range), range, percentile: null, interval: null, coverage: null },
      ...{ raw: mean, ...more },
    };
  const { map, interval, quantiles } = calibration;
  const score = clamp(interpolate(map.x, map.y, mean), spec.range);
  // a bare mean has an interval of constant width
  const reach = interval.scale * Math.max(more.spread ?? 1, interval.leastSpread ?? 0);
  return {
    score,
    range: spec.range,
    percentile: percentileOf(quantiles, score),
    interval: [clamp(score - reach, spec.range), clamp(score + reach, spec.range)],
    coverage: interval.coverage,
    raw: mean,
    ...more,
  };
}

/**
 * The row of one image of a graph output.
 *
 * @param use what the numbers are needed for, for the message
 * @throws Error when the graph lacks the output, or the row has another length or is not finite
 */
export function rowOf(raw: RawOutputs, output: string, length: number, use: string): number[] {
  const row = raw[output];
  if (!row) throw new Error(`the graph has no output "${output}" (has ${Object.keys(raw).join(', ')})`);
  if (row.length !== length)
    throw new Error(`output "${output}" has ${row.length} numbers an image; ${use} needs ${length}`);
  if (!row.every(Number.isFinite)) throw new Error(`output "${output}" is not finite`);
  return row;
}

/** Numbers each output must have a row, by kind. */
const rowLength = (spec: AspectSpec): number =>
  spec.kind === 'distribution' ? spec.levels!.length : spec.kind === 'mean' ? 1 : 2;

/**
 * Scores of all aspects; null for those that the scorer does not predict, or needs a prompt for and has none.
 *
 * @throws Error when the graph's outputs do not fit the manifest, or are not finite
 */
export function calibrate(
  raw: RawOutputs,
  manifest: Manifest,
  calibration: Calibration,
  hasPrompt: boolean,
): Record<Aspect, AspectScore | null> {
  const one = (aspect: Aspect): AspectScore | null => {
    const spec = manifest.aspects[aspect];
    if (!spec || (spec.needsPrompt && !hasPrompt)) return null;
    const row = rowOf(raw, spec.output, rowLength(spec), spec.kind);
    return scoreOf(spec, calibration.aspects[aspect], row);
  };
  return { quality: one('quality'), alignment: one('alignment'), authenticity: one('authenticity') };
}

/** Share of a normal distribution below `z` deviations, within 2e-4 (Bowling et al., 2009). */
const shareBelow = (z: number): number => 1 / (1 + Math.exp(-z * (1.5976 + 0.07056 * z * z)));

/**
 * One number 0..1: the weighted mean of the aspects' scores, each scaled from its range to 0..1, or where the manifest
 * says how scores vary, brought to one scale by that. Aspects that are null leave the mean; null when none is left.
 */
export function rewardOf(
  aspects: Record<Aspect, AspectScore | null>,
  { weights, standard }: Manifest['reward'],
): number | null {
  const valueIn = (name: Aspect, { score, range: [low, high] }: AspectScore): number => {
    const known = standard?.[name];
    return known ? (score - known.mean) / known.deviation : (score - low) / (high - low);
  };
  const parts = ASPECTS.flatMap((name) => {
    const aspect = aspects[name];
    const weight = weights[name] ?? 0;
    return aspect && weight > 0 ? [{ weight, value: valueIn(name, aspect) }] : [];
  });
  const total = parts.reduce((sum, p) => sum + p.weight, 0);
  if (total === 0) return null;
  const mean = parts.reduce((sum, p) => sum + p.weight * p.value, 0) / total;
  return standard ? shareBelow(mean) : mean;
}
