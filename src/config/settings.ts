/**
 * Every setting but those of the hosts. Here alone is a setting declared: its key, what it may be, what it is by default,
 * and what it means. Its variable, its line in docs/settings.md and how a flag of its name is taken follow from that.
 * Times are milliseconds, sizes bytes or pixels, as the names say.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { ASPECTS, type Aspect } from '../types/aspect.ts';
import type { Policy } from '../types/policy.ts';
import { rewardsSchema } from './profiles.ts';
import { TOKEN, TOKEN_EXPECTED } from './token.ts';

/** What is read once is not worth compiling. */
export const ONCE = { jitless: true };

export const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu', 'coreml', 'dml'] as const;
export type Provider = (typeof PROVIDERS)[number];

const count = z.int().min(1);
const millis = z.int().min(0);

const threshold = z.strictObject({
  minScore: z.number().optional().describe("least score, in the scorer's range"),
  minPercentile: z.number().min(0).max(1).optional().describe('least percentile, 0..1'),
});

/** Thresholds, as the config, a policy file or a request gives them. */
export const policySchema = z.strictObject({
  aspects: z
    .strictObject({
      quality: threshold.optional(),
      alignment: threshold.optional(),
      authenticity: threshold.optional(),
    } satisfies Record<Aspect, unknown>)
    .default({})
    .describe('by aspect: `minScore` and `minPercentile`'),
  minReward: z.number().min(0).max(1).optional().describe('least reward, 0..1'),
  unsureWithinInterval: z
    .boolean()
    .default(false)
    .describe('answer "unsure" when minScore lies inside the prediction interval'),
}) satisfies z.ZodType<Policy>;

/** How a scorer behaves on a GPU that a diffusion UI uses, too. */
const gpuSchema = z.strictObject({
  memoryMb: count
    .optional()
    .describe(
      'most GPU memory for the weights and intermediate results of one graph, in MB (CUDA); without bound when absent',
    ),
  whileSampling: z
    .enum(['wait', 'cpu', 'share'])
    .default('share')
    .describe(
      'while a watched host on this machine makes images: wait for it (30 s at most), score on the CPU, or share the GPU',
    ),
});

/** Bounds on what one client, or all of them, may ask for. */
export const limitsSchema = z.strictObject({
  maxImageBytes: count.default(64 * 2 ** 20).describe('largest encoded image'),
  maxBodyBytes: count.default(256 * 2 ** 20).describe('largest HTTP body or websocket message'),
  maxPixels: count.default(64_000_000).describe('most pixels of one image, checked before it is decoded'),
  maxSide: count.default(16_384).describe('longest side of one image, in pixels'),
  maxItems: count.default(256).describe('most images in one request'),
  maxQueue: count
    .default(4096)
    .describe('most images waiting, all clients together; beyond it answers are BUSY'),
  maxQueuePerClient: count
    .default(2048)
    .describe(
      'most images waiting of one client, so that none fills the queue; beyond it answers are CLIENT_BUSY',
    ),
  queueWaitMs: millis
    .default(20_000)
    .describe('how long a request waits for room in a full queue before it is answered BUSY or CLIENT_BUSY'),
  maxStudies: count.default(1000).describe('most studies of clients that are kept in dataDir'),
  maxStudyImages: count.default(500).describe('most images that a study of a client may ask for'),
  requestTimeoutMs: millis.default(120_000).describe('longest time for one request'),
});

/** What is watched of training runs. */
export const monitorSchema = z.strictObject({
  heldOut: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'scorer that also judges a share of the groups of `POST /v1/rewards`, to tell when a reward is gamed; none when absent',
    ),
  aspect: z.enum(ASPECTS).optional().describe('the score of it that is watched; its own reward when absent'),
  share: z.number().min(0).max(1).default(0.1).describe('share of the groups that it judges, 0..1'),
});

/** How a language model elsewhere is reached. */
const elsewhere = {
  url: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address' })
    .describe('OpenAI-compatible API of a model that sees images, e.g. http://127.0.0.1:11434/v1'),
  model: z.string().min(1).describe('name of the model there'),
  apiKey: z.string().regex(TOKEN, TOKEN_EXPECTED).optional().describe('sent to it as a bearer token'),
  apiKeyFile: z.string().min(1).optional().describe('file that holds that key'),
  timeoutMs: count.default(120_000).describe('longest time for one answer'),
  concurrency: count.max(256).default(2).describe('most questions at once'),
};

/** A language model elsewhere that looks at images and rates them. */
const judgeSchema = z.strictObject({
  ...elsewhere,
  maxTokens: count.default(256).describe('most tokens of one answer'),
  maxSide: z.int().min(64).max(16_384).default(1024).describe('longest side of the image that is sent'),
  critique: z.boolean().default(false).describe('also ask what is wrong with the image'),
});
export type JudgeSettings = z.infer<typeof judgeSchema>;

/** A language model elsewhere whose hidden states a scorer judges by. */
const languageModelSchema = z.strictObject({
  ...elsewhere,
  kind: z
    .enum(['states', 'vllm'])
    .default('states')
    .describe("who gives the states: the reference server of training/, or vLLM's pooling endpoint"),
  model: elsewhere.model.optional(),
  maxTokens: count.default(512).describe('most tokens of an answer that the scorer reads'),
  chat: z
    .strictObject({
      url: elsewhere.url,
      model: elsewhere.model.optional(),
      apiKey: elsewhere.apiKey,
      apiKeyFile: elsewhere.apiKeyFile,
    })
    .optional()
    .describe('where the same model answers questions, if not there'),
});

/** As those of model folders. */
const judgeName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected 1 to 64 small letters, digits, ., _ or -');

/** The language model that rewrites prompts for `assay refine`. */
const endpointSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address' })
    .optional()
    .describe('OpenAI-compatible API of a language model, e.g. http://127.0.0.1:11434/v1'),
  model: z.string().min(1).optional().describe('name of the model there'),
  apiKey: z.string().regex(TOKEN, TOKEN_EXPECTED).optional().describe('sent to it as a bearer token'),
  apiKeyFile: z.string().min(1).optional().describe('file that holds that key'),
  timeoutMs: count.default(120_000).describe('longest time for one answer'),
  maxTokens: count.default(50_000).describe('most tokens read and written in one refinement'),
});

export const settingsSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.int().min(0).max(65_535).default(7878).describe('port to listen on; 0 picks a free one'),
  socket: z
    .string()
    .min(1)
    .optional()
    .describe('unix socket to listen on; only this user can reach it. Not beside host or port'),
  token: z
    .string()
    .regex(TOKEN, TOKEN_EXPECTED)
    .optional()
    .describe('clients must send it as a bearer token; required beyond loopback'),
  tokenFile: z.string().min(1).optional().describe('file that holds the token'),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe('further names this daemon answers to (Host header)'),
  allowedOrigins: z.array(z.string()).default([]).describe('web origins whose pages may call this daemon'),
  allowedDirs: z.array(z.string()).default([]).describe('folders that may be read on behalf of a client'),
  dataDir: z
    .string()
    .min(1)
    .describe('folder of the history')
    .meta({ defaultText: "the platform's folder for application data" }),
  rejectDir: z
    .string()
    .min(1)
    .optional()
    .describe('folder that rejected images are moved to; `rejects` in dataDir when absent'),
  history: z.boolean().default(true).describe('record every verdict'),
  historyMaxAgeDays: z
    .int()
    .min(1)
    .optional()
    .describe('verdicts older than this are deleted; kept for ever when absent'),
  historyMaxBytes: z
    .int()
    .min(2 ** 20)
    .optional()
    .describe('the oldest verdicts are deleted beyond this size of the history; without bound when absent'),
  modelDirs: z
    .array(z.string())
    .default([])
    .describe('folders of model folders, searched before the built-in one'),
  scorer: z
    .string()
    .default('assay-base')
    .describe('scorer used when a request names none: its id, or id@version'),
  variant: z
    .string()
    .optional()
    .describe("model variant, e.g. int8 or fp32; the manifest's default when absent"),
  providers: z
    .array(z.enum(PROVIDERS))
    .default([])
    .describe('execution providers in order of preference; empty: what is there'),
  gpu: gpuSchema.default(() => gpuSchema.parse({}, ONCE)),
  threads: count
    .max(1024)
    .default(() => Math.max(1, availableParallelism() - 1))
    .describe('threads of one inference session; the default leaves one core for decoding')
    .meta({ defaultText: 'one less than the cores, at least 1' }),
  workers: count.max(64).default(1).describe('inference sessions side by side, each in a thread of its own'),
  resultCache: z.int().min(0).default(4096).describe('results remembered for identical requests; 0: none'),
  keepAliveMs: millis
    .default(600_000)
    .describe('how long a scorer stays in memory without work; 0: until the daemon ends'),
  embeddingCacheBytes: z
    .int()
    .min(0)
    .default(256 * 2 ** 20)
    .describe('memory for what scorers made of a prompt or an image alone, to be used again'),
  background: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/)
    .default('#ffffff')
    .describe('colour laid under transparent pixels'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('least severe events that are logged'),
  drainTimeoutMs: millis.default(10_000).describe('longest wait for running requests at shutdown'),
  limits: limitsSchema.default(() => limitsSchema.parse({}, ONCE)),
  policy: policySchema.default(() => policySchema.parse({}, ONCE)),
  judges: z
    .record(judgeName, judgeSchema)
    .default({})
    .describe(
      'models elsewhere that rate images, by the names of scorers that they get: `{url, model}`, and what docs/vlm-judge.md lists',
    ),
  languageModels: z
    .record(judgeName, languageModelSchema)
    .default({})
    .describe(
      'models elsewhere that scorers need, by the ids of those: `{url}`, and what docs/language-models.md lists',
    ),
  endpoint: endpointSchema.default(() => endpointSchema.parse({}, ONCE)),
  rewards: rewardsSchema.default(() => rewardsSchema.parse({}, ONCE)),
  monitor: monitorSchema.default(() => monitorSchema.parse({}, ONCE)),
});
