/** Every message of the wire, one zod schema each. Requests are strict; answers are tied to the nouns of types/. */
import { z } from 'zod';
import { policySchema } from '../../../config.ts';
import { ASPECTS } from '../../../types/aspect.ts';
import type { HistoryEntry, HistoryPage, HistoryQuery } from '../../../types/history.ts';
import type { PromptFound } from '../../../types/prompt.ts';
import type { RankResult, ScoreResult } from '../../../types/result.ts';
import type { RefusedScorer, Released, ScorerInfo } from '../../../types/scorer.ts';
import { LongText } from './long-text.ts';

// requests

/** Raw bytes, which only MessagePack can carry, or base64 that was too long to be made a string. */
export const bytes = z.custom<Uint8Array | LongText>(
  (value) => value instanceof Uint8Array || value instanceof LongText,
  'expected binary',
);
const name = z.string().min(1).max(256);
const prompt = z.string().nullable();

/** Pixels of a side of an image, and characters of an id, and of a source or path, in an item. */
const MOST_SIDE = 1_000_000;
export const MOST_ID = 256;
export const MOST_SOURCE = 4096;

export const rawImage = z
  .strictObject({
    format: z.enum(['rgb8', 'rgba8']).describe('interleaved 8-bit channels, row by row, without padding'),
    width: z.int().min(1).describe(`at most ${MOST_SIDE}`),
    height: z.int().min(1).describe(`at most ${MOST_SIDE}`),
    data: z.union([z.string(), bytes]).describe('base64 in JSON, binary in MessagePack'),
  })
  .describe('raw pixels');

const image = z
  .union([z.string(), bytes, rawImage])
  .describe('an encoded image (base64 or data: URL in JSON, binary in MessagePack), or raw pixels');

/** Any object; the prompt finder believes nothing in it, so that looking at each field here would be for nothing. */
export const graph = z.custom<Record<string, unknown>>(
  (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
  'expected object',
);

const workflow = z
  .strictObject({
    graph: graph.describe('the workflow in API format'),
    node: name.describe('id of the node that shows, saves or scores the images'),
    input: name.optional().describe('its input that the images come by; all of its links when absent'),
  })
  .describe('where to look for the prompt when none is given');

/** What is too long or too large in an item is no fault of the others: itemBounds refuses that item alone. */
export const scoreItem = z
  .strictObject({
    id: z
      .string()
      .min(1)
      .optional()
      .describe(`echoed in the result; the index as text when absent; at most ${MOST_ID} characters`),
    source: z
      .string()
      .nullable()
      .optional()
      .describe(`where the image came from, for people; at most ${MOST_SOURCE} characters`),
    prompt: prompt
      .optional()
      .describe('the text the image was generated from; null for none, and none is looked for'),
    group: z
      .string()
      .min(1)
      .optional()
      .describe(`images whose rewards are compared with each other share it; at most ${MOST_ID} characters`),
    image: image.optional(),
    path: z
      .string()
      .min(1)
      .optional()
      .describe(`a file below one of allowedDirs of the config; at most ${MOST_SOURCE} characters`),
  })
  .refine((item) => (item.image === undefined) !== (item.path === undefined), {
    error: 'expected exactly one of image and path',
  });

/** Looked at for each item by itself, behind scoreItem. */
export const itemBounds = z.object({
  id: z.string().max(MOST_ID).optional(),
  group: z.string().max(MOST_ID).optional(),
  source: z.string().max(MOST_SOURCE).nullish(),
  path: z.string().max(MOST_SOURCE).optional(),
});
export const sizeBounds = z.object({ width: z.int().max(MOST_SIDE), height: z.int().max(MOST_SIDE) });

/** Of a request that may be sent again. */
export const idempotencyKey = z
  .string()
  .min(1)
  .max(256)
  .describe(
    'names the request, so that it is not scored or recorded twice when it is sent again within ten minutes',
  );

export const scoreFields = {
  scorer: name.optional().describe('scorer id, or id@version; the configured default when absent'),
  prompt: prompt.optional().describe('prompt of the items that have none of their own'),
  policy: policySchema.optional().describe('thresholds for the decisions; those of the config when absent'),
  workflow: workflow.optional(),
  promptFromFile: z
    .boolean()
    .default(true)
    .describe('look for the prompt in the file when none is given and the workflow tells none'),
  items: z.array(scoreItem).min(1),
  idempotencyKey: idempotencyKey.optional(),
};

/** Body of `POST /v1/score` and `POST /v1/rank`. */
export const scoreBody = z.strictObject(scoreFields);
export type ScoreBody = z.infer<typeof scoreBody>;

/** The JSON part `request` of a multipart body; files without an entry get the defaults. */
export const uploadRequest = z.strictObject({
  scorer: scoreFields.scorer,
  prompt: scoreFields.prompt,
  policy: scoreFields.policy,
  workflow: scoreFields.workflow,
  promptFromFile: scoreFields.promptFromFile,
  idempotencyKey: scoreFields.idempotencyKey,
  items: z
    .array(
      z.strictObject({
        id: scoreItem.shape.id,
        source: scoreItem.shape.source,
        prompt: scoreItem.shape.prompt,
        group: scoreItem.shape.group,
        file: name.optional().describe('field or file name; the next unnamed file when absent'),
      }),
    )
    .default([]),
});
export type UploadEntry = z.infer<typeof uploadRequest>['items'][number];

/** Body of `POST /v1/prompt`. */
export const promptBody = z
  .strictObject({
    workflow: workflow.optional(),
    image: z.union([z.string(), bytes]).optional().describe('an encoded image, as in an item to score'),
  })
  .refine((body) => (body.workflow === undefined) !== (body.image === undefined), {
    error: 'expected exactly one of workflow and image',
  });

/** Query of `GET /v1/history`; everything arrives as text. */
export const historyQuery = z.strictObject({
  scorer: name.optional().describe('scorer id, without a version'),
  decision: z.enum(['accept', 'reject', 'unsure']).optional(),
  prompt: z.string().optional().describe('text contained in the prompt, case-insensitive'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  minReward: z.coerce.number().min(0).max(1).optional(),
  maxReward: z.coerce.number().min(0).max(1).optional(),
  since: z.coerce.number().int().min(0).optional().describe('Unix milliseconds, inclusive'),
  until: z.coerce.number().int().min(0).optional().describe('Unix milliseconds, exclusive'),
  failed: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(1024).optional().describe('next of the page before'),
}) satisfies z.ZodType<HistoryQuery>;

/** Text or a number, as the client likes; answers carry it back unchanged. */
export const messageId = z.union([z.string().min(1).max(256), z.int()]);
export type MessageId = z.infer<typeof messageId>;

// answers

export const aspectScore = z.object({
  score: z.number(),
  range: z.tuple([z.number(), z.number()]),
  percentile: z.number().min(0).max(1).nullable().describe('null when the scorer is not calibrated'),
  interval: z.tuple([z.number(), z.number()]).nullable().describe('null when the scorer is not calibrated'),
  coverage: z.number().min(0).max(1).nullable().describe('null without an interval'),
  raw: z.number().optional().describe('what the model said before it was calibrated'),
  spread: z
    .number()
    .optional()
    .describe("the model's own standard deviation of raw; absent when it has none"),
  distribution: z
    .object({ levels: z.array(z.number()), probabilities: z.array(z.number()) })
    .optional()
    .describe('probability of each level of raw, where the model predicts levels'),
});

export const scorerStamp = z.object({
  id: z.string(),
  version: z.string(),
  variant: z.string(),
  weights: z.string(),
  calibration: z.string(),
});

export const guardFinding = z.object({
  guard: z.enum(['blank', 'noise', 'corrupt', 'out-of-domain']),
  message: z.string(),
});

export const colour = z.object({
  saturation: z.number().describe('mean of the pixels, 0..1'),
  colourfulness: z.number().describe('as Hasler and Süsstrunk measure it: 0 is grey, 60 and more is vivid'),
});

export const itemError = z.object({ code: z.string(), message: z.string() });

export const scoreResult = z.object({
  id: z.string(),
  group: z.string().optional().describe('that of the item; absent when it has none'),
  source: z.string().nullable(),
  sha256: z.string().nullable(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  prompt: z.string().nullable().describe('the words that were judged'),
  promptSource: z
    .object({
      from: z.string().nullable().describe('request, or a place in words; null when none was found'),
      original: z.string().nullable().describe('the text as it stood there, when the judged words differ'),
      certain: z.boolean(),
      reason: z.string().nullable().describe('why there is none, or why it is not certain'),
    })
    .nullable()
    .describe('null when no prompt was given and none looked for'),
  scorer: scorerStamp.nullable(),
  aspects: z.record(z.enum(ASPECTS), aspectScore.nullable()).nullable(),
  reward: z.number().min(0).max(1).nullable(),
  guards: z.array(guardFinding),
  decision: z.enum(['accept', 'reject', 'unsure']).nullable(),
  reasons: z.array(z.string()),
  notes: z.array(z.string()).describe('what was cut, guessed, skipped or not applied'),
  truncated: z.boolean().optional().describe('true when the scorer read only the beginning of the prompt'),
  colour: colour.optional().describe('of images that were rewarded'),
  timings: z
    .object({
      decodeMs: z.number(),
      queueMs: z.number(),
      inferMs: z.number(),
      totalMs: z.number(),
      whileSampling: z
        .enum(['waited', 'cpu', 'shared'])
        .optional()
        .describe('what was done about a host that made images on the same GPU; absent when none did'),
      tokens: z
        .int()
        .optional()
        .describe('tokens that a language model elsewhere read and wrote for it, where that tells'),
    })
    .nullable(),
  error: itemError.nullable(),
}) satisfies z.ZodType<ScoreResult>;

export const promptAnswer = z.object({
  prompt: z.string().nullable().describe('the words, cleaned; null when there are none'),
  negative: z.string().nullable(),
  from: z.string().nullable().describe('a place in words; null when none was found'),
  original: z.string().nullable().describe('the text as it stood there, when the words differ'),
  certain: z.boolean().describe('whether the answer is sure; beside a null prompt: whether there is none'),
  reason: z.string().nullable().describe('why there is none, or why it is not certain'),
}) satisfies z.ZodType<PromptFound>;

export const scoreAnswer = z.object({ results: z.array(scoreResult) });

export const rankAnswer = z.object({
  results: z.array(scoreResult),
  order: z.array(z.int()).describe('indexes into results, best first'),
  best: z.int().nullable(),
}) satisfies z.ZodType<RankResult>;

export const scorerInfo = z.object({
  id: z.string(),
  version: z.string(),
  title: z.string(),
  license: z.string(),
  backend: z.enum(['onnx', 'tfjs', 'chat']),
  folder: z.string(),
  default: z.boolean(),
  loaded: z.boolean(),
  variant: z.string(),
  provider: z.string(),
  providerNotes: z.array(z.string()),
  problem: z.string().nullable(),
  notes: z.array(z.string()),
  aspects: z.array(z.enum(ASPECTS)),
  needsPrompt: z.boolean(),
  graphs: z
    .array(
      z.object({
        name: z.string(),
        loaded: z.boolean().describe('false after a long idle time, too'),
        provider: z.string().nullable(),
        memoryMb: z.number().nullable().describe('what loading it added to the memory of the process, in MB'),
        precision: z
          .enum(['float16', 'float32'])
          .optional()
          .describe('what its four-bit weights were made of; absent where they stay as they are'),
      }),
    )
    .describe('none before the first use of the scorer'),
}) satisfies z.ZodType<ScorerInfo>;

const refusedScorer = z.object({
  id: z
    .string()
    .nullable()
    .describe('as its manifest says, else the name of its folder; null for a folder of model folders'),
  folder: z.string(),
  state: z.literal('refused'),
  error: z.object({ code: z.string(), message: z.string(), fix: z.string() }),
}) satisfies z.ZodType<RefusedScorer>;

export const releaseAnswer = z.object({
  released: z.int().describe('graphs whose memory was given back'),
  pending: z.int().describe('graphs that give it back when they are done with their images'),
}) satisfies z.ZodType<Released>;

export const rejectsAnswer = z.object({
  folder: z.string().describe("absolute path on the daemon's machine; it may not be there yet"),
});

export const scorersAnswer = z.object({
  scorers: z.array(scorerInfo).describe('the first one of an id is what the id alone means'),
  refused: z.array(refusedScorer).describe('installed, and left out: nothing can be scored with them'),
});

const historyEntry = z.object({
  rowId: z.int(),
  at: z.int(),
  client: z.string(),
  result: scoreResult,
}) satisfies z.ZodType<HistoryEntry>;

export const historyAnswer = z.object({
  entries: z.array(historyEntry),
  next: z
    .string()
    .nullable()
    .describe('cursor of the next page, null at the end; until then a page may hold less than its limit'),
}) satisfies z.ZodType<HistoryPage>;

export const healthAnswer = z.object({ status: z.literal('ok'), version: z.string() });
export const readyAnswer = z.object({ ready: z.boolean(), reason: z.string().nullable() });

export const errorAnswer = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    fix: z.string(),
    retryAfterMs: z.number().optional(),
  }),
});
export type ErrorAnswer = z.infer<typeof errorAnswer>;
