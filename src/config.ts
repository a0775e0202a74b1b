/** Configuration: defaults < file < environment < flags, checked once, frozen. What can be set: config/settings.ts. */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { HOST_KINDS } from './bridge/hosts/kinds.ts';
import type { HostSettings } from './bridge/hosts/settings.ts';
import { defaultDataDir } from './config/data-folder.ts';
import { fromEnvironment } from './config/environment.ts';
import { readJson } from './config/json.ts';
import { type Layer, lookUp, merged, sourceOf, withRivals } from './config/layers.ts';
import { keysAt, type Leaf, leavesOf } from './config/leaves.ts';
import { shown } from './config/secrets.ts';
import { ONCE, settingsSchema } from './config/settings.ts';
import { readToken } from './config/token.ts';
import { type AssayError, fail } from './errors/error.ts';
import { nearest } from './errors/nearest.ts';
import { plainWords } from './lib/issue.ts';

export { PROVIDERS, type Provider, policySchema } from './config/settings.ts';

/** The part of each kind of host, under its id. */
const hostParts: object = Object.fromEntries(
  HOST_KINDS.map(({ id, settings }) => [id, settings.default(() => settings.parse({}, ONCE))]),
);

export const configSchema = z.strictObject({ ...settingsSchema.shape, ...hostParts });

type Parsed = z.infer<typeof configSchema>;
export type Config = Readonly<
  Parsed & {
    rejectDir: string;
    /** By id of the kind of host. */
    hosts: Readonly<Record<string, HostSettings>>;
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
  if (issue.code !== 'unrecognized_keys') {
    const { message } = issue.code === 'invalid_key' ? issue.issues[0]! : issue;
    return { key: path, expected: plainWords(message).replace(/^expected /, '') };
  }
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

/** @throws CONFIG_INVALID where one layer names both kinds of address */
function checkAddress(layers: Layer[]): void {
  const socket = sourceOf(layers, ['socket']);
  const key = ['host', 'port'].find((name) => sourceOf(layers, [name]));
  if (!socket || key === undefined) return;
  const found = valueAt(merged(layers), key);
  throw fail('CONFIG_INVALID', {
    source: socket.name,
    key,
    found,
    expected: 'either a socket, or host and port, not both',
  });
}

/** @throws CONFIG_INVALID, TOKEN_UNREADABLE */
function tokenOf({ token, tokenFile }: Parsed, layers: Layer[]): { token?: string; notes: string[] } {
  if (tokenFile === undefined) return token === undefined ? { notes: [] } : { token, notes: [] };
  if (token === undefined) return readToken(tokenFile);
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
  const all = [
    { name: 'defaults', values: { dataDir: defaultDataDir(env) } },
    { name: path ?? 'file', values: path === undefined ? {} : readFile(path) },
    { name: ENVIRONMENT, values: environment.values },
    { name: 'flags', values: given },
  ];
  const layers = withRivals(withRivals(all, ['token'], ['tokenFile']), ['socket'], ['host', 'port']);
  const parsed = configSchema.safeParse(merged(layers), ONCE);
  if (!parsed.success) throw misfit(parsed.error.issues[0]!, layers);
  checkAddress(layers);
  const { token, notes } = tokenOf(parsed.data, layers);
  return finished(parsed.data, token, [...environment.notes, ...notes]);
}

const hostsOf = (parsed: object): Record<string, HostSettings> =>
  Object.fromEntries(Object.entries(parsed).filter(([key]) => key in hostParts));

/** With absolute paths, frozen. */
function finished(parsed: Parsed, token: string | undefined, notes: string[]): Config {
  const dataDir = resolve(parsed.dataDir);
  const rejectDir = resolve(parsed.rejectDir ?? join(dataDir, 'rejects'));
  const modelDirs = parsed.modelDirs.map((d) => resolve(d));
  return deepFreeze({ ...parsed, token, dataDir, rejectDir, modelDirs, hosts: hostsOf(parsed), notes });
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
