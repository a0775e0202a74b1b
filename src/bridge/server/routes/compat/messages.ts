/** Bodies as trainers send them to other reward servers; what is not known of them is let pass. */
import { z } from 'zod';
import { bytes } from '../../wire/schemas.ts';

const image = z.union([z.string(), bytes]);
const nothing = z.null().optional();

/** Of Flow-Factory's `POST /compute`: its client writes the first two names, its example server reads the others. */
export const computeBody = z.object({
  prompt: z.array(z.string()).optional(),
  image: z.array(image).nullish(),
  prompts: z.array(z.string()).optional(),
  images: z.array(image).nullish(),
  video: nothing,
  videos: nothing,
  condition_images: nothing,
  condition_videos: nothing,
});
export type ComputeBody = z.infer<typeof computeBody>;

const text = z.string().nullish();

/** One image, and who asks for it. */
const uniRequest = z.object({
  history: z.array(z.object({ text: z.string(), image_b64: image.nullish() })).min(1),
  required_rewards: z.array(z.string().min(1).max(256)).min(1).max(16),
  request_id: text,
  sample_id: text,
  group_id: text,
  source_rank: z.int().nullish(),
  policy_version: z.int().nullish(),
  scorer_version: text,
  idempotency_key: text,
});
export type UniRequest = z.infer<typeof uniRequest>;

/** Of UniRL's `POST /score`. */
export const uniBody = z.object({
  protocol_version: z.literal('1').default('1'),
  grad_mode: z.literal(false).optional(),
  requests: z.array(uniRequest),
});
export type UniBody = z.infer<typeof uniBody>;
