/** The messages of rewards, one zod schema each. */
import { z } from 'zod';
import { profileName, profileSchema } from '../../../config/profiles.ts';
import { ASPECTS } from '../../../types/aspect.ts';
import { ADVANTAGES, type RewardResult } from '../../../types/reward.ts';
import {
  aspectScore,
  colour,
  guardFinding,
  itemError,
  scoreFields,
  scorerStamp,
  uploadRequest,
} from './schemas.ts';

const { prompt, workflow, promptFromFile, idempotencyKey, items } = scoreFields;

/** What a client may call itself, and a training run. */
const runName = z.string().regex(/^[\w.:@/-]{1,64}$/, 'expected 1 to 64 letters, digits, ., :, @, /, _ or -');

const rewardFields = {
  profile: z
    .union([profileName, profileSchema])
    .optional()
    .describe('a reward profile by name, or itself; rewards.profile of the config when absent'),
  scorers: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(16)
    .optional()
    .describe('in the place of a profile: the mean of their rewards'),
  advantage: z
    .enum(ADVANTAGES)
    .optional()
    .describe(
      'within groups: z-score, rank from -1 to 1, or z-scores of each component that are then weighed',
    ),
  run: runName
    .optional()
    .describe('name of the training run, for GET /v1/monitor; the name of the client when absent'),
};

/** Body of `POST /v1/rewards`. */
export const rewardBody = z.strictObject({
  ...rewardFields,
  prompt,
  workflow,
  promptFromFile,
  idempotencyKey,
  items,
});
export type RewardBody = z.infer<typeof rewardBody>;

/** The JSON part `request` of a multipart body. */
export const rewardUpload = z.strictObject({
  ...rewardFields,
  ...{ prompt, workflow, promptFromFile, idempotencyKey },
  items: uploadRequest.shape.items,
});

const component = z.object({
  weight: z.number(),
  value: z.number().nullable().describe('on the scale of the profile; null when there is none'),
  reason: z.string().nullable().describe('why there is none'),
  scorer: scorerStamp.nullable(),
  aspects: z.partialRecord(z.enum(ASPECTS), aspectScore).describe('the scores that it is made of'),
});

const rewardItem = z.object({
  id: z.string(),
  group: z.string().nullable(),
  source: z.string().nullable(),
  sha256: z.string().nullable(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  prompt: z.string().nullable().describe('the words that were judged'),
  reward: z.number().nullable().describe('on the scale of the profile; null: leave it out'),
  missing: z
    .object({
      because: z.enum(['failed', 'guard', 'not-applicable']),
      reason: z.string(),
      applied: z.enum(['leave-out', 'worst', 'floor']).describe('what stands in the place of the reward'),
    })
    .nullable()
    .describe('null when the reward is the one of the image'),
  advantage: z.number().nullable().optional().describe('when asked for; null beside a null reward'),
  components: z.record(z.string(), component).describe('by name of the term'),
  truncated: z.boolean().describe('whether a scorer read only the beginning of the prompt'),
  guards: z.array(guardFinding),
  colour: colour.nullable().describe('null when no pixels were seen'),
  notes: z.array(z.string()),
  error: itemError.nullable(),
});

const rewardGroup = z.object({
  group: z.string().nullable().describe('null for the images that came without one'),
  count: z.int(),
  used: z.int().describe('how many have a reward'),
  mean: z.number().nullable(),
  std: z.number().nullable().describe('divided by the number, not by one less'),
  zeroVariance: z.boolean().describe('nothing can be learned: the rewards are equal, or fewer than two'),
  duplicates: z.array(z.array(z.string())).describe('ids of images that are equal byte by byte'),
  nearBlank: z.array(z.string()).describe('ids of images of nearly one colour'),
});

export const appliedProfile = profileSchema.extend({ name: z.string().nullable() });

export const rewardAnswer = z.object({
  profile: appliedProfile.describe('as it was applied; the name is null for one that came with the request'),
  scorers: z.array(scorerStamp).describe('versions and weights that made the scores'),
  results: z.array(rewardItem).describe('in request order'),
  groups: z.array(rewardGroup),
}) satisfies z.ZodType<RewardResult>;

export const profilesAnswer = z.object({
  default: z.string().describe('the one of requests that name none'),
  profiles: z.record(z.string(), profileSchema),
});
