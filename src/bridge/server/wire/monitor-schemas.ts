/** The messages of the monitor. */
import { z } from 'zod';
import { ASPECTS } from '../../../types/aspect.ts';
import type { MonitorReport } from '../../../types/run.ts';
import { colour } from './schemas.ts';

const share = z.number().min(0).max(1);
const unixMs = z.int().describe('Unix milliseconds');

const change = z.object({
  before: z.number(),
  after: z.number(),
  certainty: z.number().describe('the difference in its own standard errors; above zero it has risen'),
});

const divergence = {
  groups: z.int().describe('how many groups before and how many after'),
  reward: change,
  heldOut: change,
};

const figures = z.object({
  images: z.int(),
  reward: z.number().nullable().describe('mean, with what was put in the place of missing ones'),
  aspects: z.record(z.string(), z.number()).describe('mean score by scorer and aspect: assay-base/quality'),
  withinGroups: z.number().nullable().describe('mean standard deviation of the rewards within groups'),
  zeroVariance: share.nullable().describe('share of the groups that have none'),
  duplicates: share.describe('share of the images that equal another one'),
  guarded: share.describe('share with a guard'),
  missing: share.describe('share without a reward of their own'),
  failed: share,
  colour: colour.nullable(),
});

const warning = z.object({
  run: z.string(),
  profile: z.string().nullable(),
  at: unixMs,
  scorer: z.string().describe('what judged beside the reward'),
  message: z.string(),
  ...divergence,
});

const run = z.object({
  run: z.string(),
  profile: z.string().nullable().describe('null for one that came with the requests'),
  since: unixMs,
  latest: unixMs,
  images: z.int(),
  recent: figures.describe('of the latest 512 images'),
  start: figures.describe('of the first 512 images'),
  drift: colour.nullable().describe('how far colour has moved, in standard deviations of the first images'),
  heldOut: z
    .object({
      judged: z.int().describe('groups'),
      skipped: z.int().describe('groups that were to be judged, and were not: it was too slow, or it failed'),
      reward: z.number().nullable().describe('mean of the latest 256 groups that both judged'),
      score: z.number().nullable().describe('mean of the same'),
      agreement: share
        .nullable()
        .describe('share of the pairs within groups that both put in the same order; 0.5 is chance'),
      changes: z.array(z.object(divergence)).describe('over spans of 16 to 256 groups'),
    })
    .nullable(),
  warnings: z.array(warning).describe('the latest 16: the reward rose while the held-out score fell'),
});

export const monitorAnswer = z.object({
  heldOut: z.object({ scorer: z.string(), aspect: z.enum(ASPECTS).nullable(), share }).nullable(),
  runs: z.array(run),
}) satisfies z.ZodType<MonitorReport>;
