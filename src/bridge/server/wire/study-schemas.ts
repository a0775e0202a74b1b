/** Messages about studies. */
import { z } from 'zod';
import { policySchema } from '../../../config.ts';
import type { StudyAsked, StudyState, StudyTold } from '../../../types/study.ts';
import { graph, idempotencyKey, MOST_SOURCE, scoreFields, scoreItem, scoreResult } from './schemas.ts';

/** Trials that are asked for at once, and open ones that a caller may name. */
const MOST_ASKED = 64;
const MOST_HELD = 4096;
const MOST_MEASURES = 64;
const MOST_TEXT = 1024;

const name = z.string().min(1).max(256);

/** Body of `POST /v1/studies`. */
export const studyBody = z.strictObject({
  study: name
    .optional()
    .describe(
      'a name of your own, a-z, 0-9, - and _: the same plan under the same name goes on; made up when absent',
    ),
  spec: graph.describe(
    'what the study is to do: prompt, images, strategy, keep, axes, pick, price, minutes, seed; docs/studies.md has them',
  ),
  scorer: scoreFields.scorer,
  policy: policySchema.optional().describe('thresholds; what they reject cannot win'),
});

/** Body of `POST /v1/studies/{id}/ask`. */
export const askBody = z.strictObject({
  n: z.int().min(1).max(MOST_ASKED).default(1).describe('most trials to give'),
  held: z
    .array(name)
    .max(MOST_HELD)
    .optional()
    .describe('trials that you have in work: other open ones come first. Absent: new ones alone'),
});

const measures = <V extends z.ZodType>(value: V) =>
  z
    .record(name, value)
    .refine(
      (values) => Object.keys(values).length <= MOST_MEASURES,
      `expected at most ${MOST_MEASURES} measures`,
    );

const scored = z.strictObject({
  image: z.string().min(1).max(MOST_SOURCE).describe('your name for it'),
  values: measures(z.number().nullable()).describe('by measure, higher is better; null: it has none'),
  intervals: measures(z.tuple([z.number(), z.number()])).optional(),
  rejected: z.boolean().optional().describe('true: it cannot win'),
  reasons: z.array(z.string().max(MOST_TEXT)).max(32).optional(),
});

/** Body of `POST /v1/studies/{id}/tell`. */
export const tellBody = z.strictObject({
  trial: name,
  items: z.array(scoreItem).min(1).optional().describe('images to score, as those of POST /v1/score'),
  images: z.array(scored).min(1).max(256).optional().describe('images by name, with your own scores'),
  failed: z
    .strictObject({ code: z.string().min(1).max(64), message: z.string().max(MOST_TEXT) })
    .optional()
    .describe('why there is no image: it costs nothing of the budget'),
  prompt: scoreFields.prompt.describe('what the images are judged by, in place of the prompt of the trial'),
  idempotencyKey: idempotencyKey.optional(),
});
export type TellBody = z.infer<typeof tellBody>;

// answers

const trial = z.object({
  id: z.string(),
  prompt: z.string().nullable(),
  seed: z.int(),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).describe('by axis'),
  stage: z.object({
    name: z.string(),
    effort: z.number().describe('share of the work of a whole image, 0..1: of its sampling steps, say'),
  }),
  from: z.string().nullable().describe('the trial that it goes on from; null for a new one'),
});

const done = z
  .object({
    reason: z.enum(['keepers', 'images', 'minutes', 'not-worth-it', 'exhausted', 'failures', 'stopped']),
    words: z.string(),
  })
  .nullable()
  .describe('why the study is over; null: it goes on');

export const stateAnswer = z.object({
  study: z.string().describe('its id'),
  spec: z.record(z.string(), z.unknown()).describe('with its defaults'),
  done,
  asked: z.int().describe('trials asked for so far'),
  spent: z.number().describe('their work, in whole images; those that failed left out'),
  open: z.array(trial).describe('asked for and not told'),
  winners: z
    .array(
      z.object({
        trial,
        image: z.string().describe('the name that it was told by'),
        value: z.number().describe("by the study's pick; higher is better"),
        scored: z.object({ ...scored.shape }),
      }),
    )
    .describe('the best so far, best first'),
}) satisfies z.ZodType<StudyState>;

export const askAnswer = z.object({
  trials: z.array(trial).describe('none where results must come first, or it is over'),
  done,
}) satisfies z.ZodType<StudyAsked>;

export const tellAnswer = z.object({
  results: z.array(scoreResult).describe('of images that came to be scored; empty when told before'),
  again: z.boolean().describe('whether it was told before, and nothing has changed'),
  done,
}) satisfies z.ZodType<StudyTold>;
