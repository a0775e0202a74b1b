/**
 * Configuration: defaults < file < environment < flags, checked once, frozen.
 * Times are milliseconds, sizes bytes or pixels, as the names say.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { z } from 'zod';
import { comfyuiSettings } from './config/comfyui.ts';
import { fail, nearest, reasonOf } from './errors.ts';
import { ASPECTS, type Policy } from './types.ts';

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
    .partialRecord(z.enum(ASPECTS), threshold)
    .default({})
    .describe('by aspect: `minScore` and `minPercentile`'),
  minReward: z.number().min(0).max(1).optional().describe('least reward, 0..1'),
  unsureWithinInterval: z
    .boolean()
    .default(false)
    .describe('answer "unsure" when minScore lies inside the prediction interval'),
}) satisfies z.ZodType<Policy>;

const limits = z.strictObject({
  maxImageBytes: count.default(64 * 2 ** 20).describe('largest encoded image'),
  maxBodyBytes: count.default(256 * 2 ** 20).describe('largest HTTP body or websocket message'),
  maxPixels: count.default(64_000_000).describe('most pixels of one image, checked before it is decoded'),
  maxSide: count.default(16_384).describe('longest side of one image, in pixels'),
  maxItems: count.default(256).describe('most images in one request'),
  maxQueue: count
    .default(4096)
    .describe('most images waiting, all clients together; beyond it answers are BUSY'),
  requestTimeoutMs: millis.default(120_000).describe('longest time for one request'),
});

export const configSchema = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.int().min(0).max(65_535).default(7878).describe('port to listen on; 0 picks a free one'),
  token: z
    .string()
    .min(8)
    .optional()
    .describe('clients must send it as a bearer token; required beyond loopback'),
  allowedHosts: z
    .array(z.string())
    .default([])
    .describe('further names this daemon answers to (Host header)'),
  allowedOrigins: z.array(z.string()).default([]).describe('web origins whose pages may call this daemon'),
  allowedDirs: z.array(z.string()).default([]).describe('folders that may be read on behalf of a client'),
  dataDir: z.string().min(1).describe('folder of the history'),
  rejectDir: z
    .string()
    .min(1)
    .optional()
    .describe('folder that rejected images are moved to; `rejects` in dataDir when absent'),
  history: z.boolean().default(true).describe('record every verdict'),
  modelDirs: z
    .array(z.string())
    .default([])
    .describe('folders of model folders, searched before the built-in one'),
  scorer: z
    .string()
    .default('assay-lite')
    .describe('scorer used when a request names none: its id, or id@version'),
  variant: z
    .string()
    .optional()
    .describe("model variant, e.g. int8 or fp32; the manifest's default when absent"),
  providers: z
    .array(z.enum(PROVIDERS))
    .default([])
    .describe('execution providers in order of preference; empty: what is there'),
  threads: count
    .default(() => Math.max(1, availableParallelism() - 1))
    .describe('threads of one inference session; the default leaves one core for decoding'),
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
  limits: limits.default(() => limits.parse({})),
  policy: policySchema.default(() => policySchema.parse({})),
  comfyui: comfyuiSettings.default(() => comfyuiSettings.parse({})),
});

export type Config = Readonly<z.infer<typeof configSchema> & { rejectDir: string }>;
/** What a file, the environment or flags may say: any part of the config. */
export type ConfigInput = z.input<typeof configSchema> extends infer T ? Partial<T> : never;

const LISTS = new Set(['allowedHosts', 'allowedOrigins', 'allowedDirs', 'modelDirs', 'providers']);
const NUMBERS = new Set([
  'port',
  'threads',
  'workers',
  'resultCache',
  'drainTimeoutMs',
  'keepAliveMs',
  'embeddingCacheBytes',
]);
const BOOLEANS = new Set(['history']);
const NESTED = new Set(['limits', 'policy', 'comfyui']);

/** `ASSAY_DATA_DIR` for `dataDir`. */
const envName = (key: string): string => `ASSAY_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

function fromEnv(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(configSchema.shape)) {
    const text = env[envName(key)];
    if (text === undefined || text === '' || NESTED.has(key)) continue;
    if (LISTS.has(key)) found[key] = text.split(',').map((s) => s.trim());
    else if (NUMBERS.has(key)) found[key] = Number(text);
    else if (BOOLEANS.has(key)) found[key] = text === 'true' || text === '1';
    else found[key] = text;
  }
  return found;
}

function fromFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (parsed && typeof parsed === 'object' && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
    throw new Error('the top level is not an object');
  } catch (cause) {
    throw fail('CONFIG_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** Where the value of a config key came from, for the error message. */
function sourceOf(key: string, layers: [string, Record<string, unknown>][]): string {
  return layers.find(([, values]) => key in values)?.[0] ?? 'defaults';
}

type Issue = z.core.$ZodIssue;

/** The key that an issue is about, and what was expected of it. `keys`: the known ones beside it. */
export function expectationOf(issue: Issue, keys: string[]): { key: string; expected: string } {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys')
    return { key: path, expected: issue.message.replace(/^Invalid input: expected /, '') };
  const name = issue.keys[0]!;
  const near = nearest(name, keys);
  const hint = near ? `did you mean "${near}"?` : `known keys: ${keys.join(', ')}`;
  return { key: [path, name].filter(Boolean).join('.'), expected: `a known key (${hint})` };
}

/** The value at a dotted key, as JSON. */
export function valueAt(values: unknown, key: string): string {
  let value = values;
  for (const part of key.split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  return value === undefined ? 'missing' : JSON.stringify(value);
}

/** Known keys beside the one that an issue complains about. */
function siblings(path: PropertyKey[]): string[] {
  if (path[0] === 'limits') return Object.keys(limits.shape);
  if (path[0] === 'policy')
    return path.length > 1 ? Object.keys(threshold.shape) : Object.keys(policySchema.shape);
  if (path[0] === 'comfyui') return Object.keys(comfyuiSettings.shape);
  return Object.keys(configSchema.shape);
}

/**
 * Reads the configuration.
 *
 * @param flags values given on the command line; `undefined` counts as not given
 * @param file path of a JSON file, or undefined
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID (naming source, key, value and expectation)
 */
export function loadConfig(flags: object = {}, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(flags).filter(([, v]) => v !== undefined));
  const path = file ?? env.ASSAY_CONFIG;
  const layers: [string, Record<string, unknown>][] = [
    ['flags', given],
    ['environment', fromEnv(env)],
    [path ?? 'file', fromFile(path)],
  ];
  const merged = Object.assign(
    { dataDir: envPaths('assay', { suffix: '' }).data },
    ...layers.map(([, v]) => v).reverse(),
  );
  const parsed = configSchema.safeParse(merged);
  if (parsed.success) {
    const dataDir = resolve(parsed.data.dataDir);
    const rejectDir = resolve(parsed.data.rejectDir ?? join(dataDir, 'rejects'));
    const modelDirs = parsed.data.modelDirs.map((d) => resolve(d));
    return deepFreeze({ ...parsed.data, dataDir, rejectDir, modelDirs });
  }
  const issue = parsed.error.issues[0]!;
  const { key, expected } = expectationOf(issue, siblings(issue.path));
  const source = sourceOf(key.split('.')[0]!, layers);
  const from = source === 'environment' ? envName(key.split('.')[0]!) : source;
  throw fail('CONFIG_INVALID', { source: from, key, found: valueAt(merged, key), expected });
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
