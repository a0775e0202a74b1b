/**
 * What previews of a workflow tell of its images: for each point of the sampling the previews' scores beside those of
 * the finished images, and how alike they rank. Data that is kept in a file.
 */
import { z } from 'zod';
import { bootstrap, clusterIds } from '../../lib/bootstrap.ts';
import { srcc } from '../../lib/metrics.ts';
import { weightedSrcc } from '../../lib/weighted.ts';
import { imagesOf } from '../study/pick.ts';
import type { TrialState } from '../study/types.ts';

const figure = z.number();

export const pointSchema = z.strictObject({
  /** The node that samples. */
  node: z.string(),
  /** First step of the point, from 1. */
  step: z.int().min(1),
  /** Steps of that node. */
  of: z.int().min(1),
  /** Share of all sampling steps that are done by then, 0..1. */
  share: z.number().gt(0).max(1),
  /** Spearman's rank correlation; null where it is undefined. */
  srcc: z.number().nullable(),
  /** 95 % bootstrap interval of it; null for too few images. */
  interval: z.tuple([z.number(), z.number()]).nullable(),
  /** Score of the preview and of the finished image, image by image. */
  scores: z.array(z.tuple([figure, figure])),
});
export type Point = z.infer<typeof pointSchema>;

const samplerSchema = z.strictObject({ node: z.string(), steps: z.int().min(1) });
/** A node that samples, and how many steps it takes. */
export type Sampler = z.infer<typeof samplerSchema>;

/** What a calibration is of: with any of these changed, it says nothing. */
export const subjectSchema = z.strictObject({
  /** Hex sha256 of the workflow without its seeds. */
  workflow: z.string(),
  host: z.string(),
  /** How the host makes previews, in its own words; null where it does not tell. */
  method: z.string().nullable(),
  /** `id version`, and the hash of its weights. */
  scorer: z.strictObject({ id: z.string(), version: z.string(), weights: z.string() }),
  by: z.string(),
  /** The prompt that is judged by; null: none. */
  prompt: z.string().nullable(),
  /** Pixels of a preview. */
  size: z.tuple([z.int(), z.int()]),
});
export type Subject = z.infer<typeof subjectSchema>;

export const calibrationSchema = z.strictObject({
  version: z.literal(1),
  /** Version of Assay that made it. */
  assay: z.string(),
  /** ISO 8601. */
  made: z.iso.datetime(),
  /** Name of the workflow file, for people. */
  file: z.string(),
  subject: subjectSchema,
  images: z.int().min(1),
  samplers: z.array(samplerSchema).min(1),
  points: z.array(pointSchema),
});
export type Calibration = z.infer<typeof calibrationSchema>;

/** Points at which a node's previews are looked at: the sampling in tenths, as far as it has so many steps. */
export const POINTS = 10;

/** The point that a step belongs to, 1..10; 0: before the first. */
export const pointAt = (step: number, of: number): number => Math.floor((step * POINTS) / of);

/** A point is of at least that share of the images: those that had no preview there may differ from the others. */
const LEAST_SHARE = 0.8;

/** What was measured of the trials of a study whose previews were scored: in the order of the sampling. */
export function pointsOf(trials: readonly TrialState[], by: string): Point[] {
  const rows = trials.flatMap(({ outcome, previews = [] }) => {
    const final = imagesOf(outcome)[0]?.values[by];
    if (typeof final !== 'number') return [];
    return previews.flatMap(({ values, ...place }) => {
      const value = values[by];
      return typeof value === 'number' ? [{ ...place, scores: [value, final] as [number, number] }] : [];
    });
  });
  const made = trials.filter(({ outcome }) => typeof imagesOf(outcome)[0]?.values[by] === 'number').length;
  const points = Map.groupBy(rows, ({ node, step, of }) => `${node} ${pointAt(step, of)}`);
  return [...points.values()]
    .filter((found) => found.length >= LEAST_SHARE * made)
    .map((found) => {
      const first = found.reduce((a, b) => (b.share < a.share ? b : a));
      const { node, step, of, share } = first;
      const scores = found.map((row) => row.scores);
      return { ...{ node, step, of, share }, ...agreementOf(scores), scores };
    })
    .toSorted((a, b) => a.share - b.share);
}

function agreementOf(scores: readonly [number, number][]): Pick<Point, 'srcc' | 'interval'> {
  const [previews, finals] = [scores.map(([preview]) => preview), scores.map(([, final]) => final)];
  const clusters = clusterIds(scores.map((_, i) => i));
  const [interval] = bootstrap(clusters, [weightedSrcc(previews, finals)]);
  return { srcc: srcc(previews, finals), interval: interval ?? null };
}

/** Points whose correlation is at least the demand, as surely as the interval says, and at which there is work to spare. */
export const usablePoints = ({ points }: Pick<Calibration, 'points'>, demand: number): Point[] =>
  points.filter(({ interval, share }) => interval !== null && interval[0] >= demand && share < 1);
