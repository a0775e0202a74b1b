/**
 * Configuration: defaults < file < environment < flags, checked once, frozen.
 * Times are milliseconds, sizes bytes or pixels, as the names say.
 */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { comfyuiSettings } from './bridge/hosts/comfyui/settings.ts';
import { defaultDataDir } from './config/data-folder.ts';
import { fromEnvironment } from './config/environment.ts';
import { readJson } from './config/json.ts';
import { type Layer, lookUp, merged, sourceOf, withRivals } from './config/layers.ts';
import { keysAt, type Leaf, leavesOf } from './config/leaves.ts';
import { shown } from './config/secrets.ts';
import { readToken, TOKEN, TOKEN_EXPECTED } from './config/token.ts';
import { type AssayError, fail } from './errors/error.ts';
import { nearest } from './errors/nearest.ts';
import { ASPECTS, type Policy } from './types.ts';

/** What is read once is not worth compiling. */
const ONCE = { jitless: true };

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
  socket: z
    .string()
    .min(1)
    .optional()
    .describe('unix socket to listen on instead of host and port; only this user can reach it'),
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
  dataDir: z.string().min(1).describe('folder of the history'),
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
  threads: count
    .max(1024)
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
  limits: limits.default(() => limits.parse({}, ONCE)),
  policy: policySchema.default(() => policySchema.parse({}, ONCE)),
  comfyui: comfyuiSettings.default(() => comfyuiSettings.parse({}, ONCE)),
});

type Parsed = z.infer<typeof configSchema>;
export type Config = Readonly<
  Parsed & {
    rejectDir: string;
    /** For people: what was ignored, or is not as safe as it could be. */
    notes: readonly string[];
  }
>;
/** What a file, the environment or flags may say: any part of the config. */
export type ConfigInput = z.input<typeof configSchema> extends infer T ? Partial<T> : never;

/** The settings one by one. */
export const SETTINGS: readonly Leaf[] = leavesOf(configSchema);

/** Variables that an orchestrator sets for services, in names like ours. */
export const ignoredVariables = (env: NodeJS.ProcessEnv): string[] => fromEnvironment(SETTINGS, env).injected;

function readFile(path: string): Record<string, unknown> {
  const values = readJson(path);
  if (values && typeof values === 'object' && !Array.isArray(values))
    return values as Record<string, unknown>;
  throw fail('CONFIG_UNREADABLE', { path, reason: 'the top level is not an object' });
}

type Issue = z.core.$ZodIssue;

/** The key that an issue is about, and what was expected of it. `keys`: the known ones beside it. */
export function expectationOf(issue: Issue, keys: string[]): { key: string; expected: string } {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys')
    return {
      key: path,
      expected: issue.message.replace(/^(Invalid input|Invalid option|Too small|Too big): expected /, ''),
    };
  const name = issue.keys[0]!;
  const near = nearest(name, keys);
  const hint = near ? `did you mean "${near}"?` : `known keys: ${keys.join(', ')}`;
  return { key: [path, name].filter(Boolean).join('.'), expected: `a known key (${hint})` };
}

/** The value at a dotted key, as JSON; secrets are hidden. */
export function valueAt(values: unknown, key: string): string {
  const path = key.split('.');
  return shown(lookUp(values, path), path);
}

/** The error of a value that does not fit, naming where it came from. */
function misfit(issue: Issue, layers: Layer[]): AssayError {
  const { key, expected } = expectationOf(issue, keysAt(configSchema, issue.path) ?? []);
  const path = key.split('.');
  const layer = sourceOf(layers, path);
  const leaf = SETTINGS.find((setting) => setting.path.every((part, i) => part === path[i]));
  const source = layer?.name === ENVIRONMENT && leaf ? leaf.variable : (layer?.name ?? 'defaults');
  return fail('CONFIG_INVALID', { source, key, found: valueAt(merged(layers), key), expected });
}

const ENVIRONMENT = 'environment';

/** @throws CONFIG_INVALID, TOKEN_UNREADABLE */
function tokenOf({ token, tokenFile }: Parsed, layers: Layer[]): { token?: string; notes: string[] } {
  if (tokenFile === undefined) return token === undefined ? { notes: [] } : { token, notes: [] };
  if (token === undefined) return readToken(resolve(tokenFile));
  const source = sourceOf(layers, ['token'])!.name;
  throw fail('CONFIG_INVALID', {
    source,
    key: 'token',
    found: shown(token, ['token']),
    expected: 'either token or tokenFile, not both',
  });
}

/**
 * Reads the configuration.
 *
 * @param flags values given on the command line; `undefined` counts as not given
 * @param file path of a JSON file, or undefined
 * @throws CONFIG_UNREADABLE, TOKEN_UNREADABLE, CONFIG_INVALID (naming source, key, value and expectation)
 */
export function loadConfig(flags: object = {}, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const path = file ?? (env.ASSAY_CONFIG?.trim() || undefined);
  const environment = fromEnvironment(SETTINGS, env);
  const given = Object.fromEntries(Object.entries(flags).filter(([, v]) => v !== undefined));
  const layers = withRivals(
    [
      { name: 'defaults', values: { dataDir: defaultDataDir(env) } },
      { name: path ?? 'file', values: path === undefined ? {} : readFile(path) },
      { name: ENVIRONMENT, values: environment.values },
      { name: 'flags', values: given },
    ],
    'token',
    'tokenFile',
  );
  const parsed = configSchema.safeParse(merged(layers), ONCE);
  if (!parsed.success) throw misfit(parsed.error.issues[0]!, layers);
  const { token, notes } = tokenOf(parsed.data, layers);
  return finished(parsed.data, token, [...environment.notes, ...notes]);
}

/** With absolute paths, frozen. */
function finished(parsed: Parsed, token: string | undefined, notes: string[]): Config {
  const dataDir = resolve(parsed.dataDir);
  const rejectDir = resolve(parsed.rejectDir ?? join(dataDir, 'rejects'));
  const modelDirs = parsed.modelDirs.map((d) => resolve(d));
  return deepFreeze({ ...parsed, token, dataDir, rejectDir, modelDirs, notes });
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
