/**
 * Which execution providers work on this machine, found by trying each in a process of its own. What was found is kept
 * in a small file of the data folder, for the same runtime, driver and devices.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readSmallJson, writeSmallJson } from '../../lib/small-json.ts';
import { driverFacts } from './driver.ts';
import { runtimeVersion } from './runtime.ts';

const trialSchema = z.object({
  /** Why it does not work; empty when it does. */
  reason: z.string(),
  /** Whether it takes float16. */
  half: z.boolean(),
  /** How many times as fast as the CPU it did a product; null when it does not work. */
  speed: z.number().nullable(),
});
export type Trial = z.infer<typeof trialSchema>;

const fileSchema = z.object({
  version: z.literal(1),
  tried: z.array(trialSchema.extend({ key: z.string(), provider: z.string(), at: z.string() })),
});
type Kept = z.infer<typeof fileSchema>['tried'][number];

const TRIAL = fileURLToPath(
  new URL(`./trial${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);
/** CUDA compiles for minutes where it has no code for a new card; nobody waits that long. */
const TIME_LIMIT_MS = 60_000;
/** What did not work is tried again: a card may have been full, a driver in the middle of its update. */
const FAILURE_AGE_MS = 24 * 3_600_000;
/** More than there are providers and drivers; the oldest go first. */
const MOST = 32;
const MOST_REASON = 300;

/** Trials that were made or begun by this process, by data folder, provider and machine. */
const begun = new Map<string, Promise<Trial>>();
const found = new Map<string, Trial>();

/** What a trial depends on. */
const keyOf = (provider: string): string =>
  hash(
    'sha256',
    JSON.stringify([
      ...[provider, runtimeVersion(), process.version, process.platform, process.arch, cpus()[0]?.model],
      ...driverFacts(),
    ]),
  );

const fileIn = (dataDir: string | undefined): string | undefined =>
  dataDir && join(dataDir, 'tried-providers.json');
const keptIn = (path: string | undefined): Kept[] =>
  path === undefined ? [] : (readSmallJson(path, fileSchema)?.tried ?? []);
const isCurrent = ({ reason, at }: Kept): boolean =>
  reason === '' || Date.now() - Date.parse(at) < FAILURE_AGE_MS;

/** What was found of a provider before, here or by another process; undefined: it was not tried yet. */
export function knownTrial(provider: string, dataDir: string | undefined): Trial | undefined {
  const key = keyOf(provider);
  const own = found.get(`${dataDir} ${key}`);
  return own ?? keptIn(fileIn(dataDir)).find((kept) => kept.key === key && isCurrent(kept));
}

/** Tries a provider, unless that was done. @param again whatever was found before. Never throws. */
export function tryProvider(provider: string, dataDir: string | undefined, again = false): Promise<Trial> {
  const known = again ? undefined : knownTrial(provider, dataDir);
  if (known) return Promise.resolve(known);
  const key = keyOf(provider);
  const name = `${dataDir} ${key}`;
  const running = begun.get(name) ?? runTrial(provider);
  begun.set(name, running);
  return running.then((trial) => {
    begun.delete(name);
    found.set(name, trial);
    keep(fileIn(dataDir), { ...trial, key, provider, at: new Date().toISOString() });
    return trial;
  });
}

function keep(path: string | undefined, trial: Kept): void {
  if (path === undefined) return;
  const others = keptIn(path).filter(({ key }) => key !== trial.key);
  writeSmallJson(path, { version: 1, tried: [...others, trial].slice(-MOST) });
}

/** @param limitMs until it is ended */
export async function runTrial(provider: string, limitMs = TIME_LIMIT_MS, file = TRIAL): Promise<Trial> {
  const child = spawn(process.execPath, [file, provider], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, complaints] = [collect(child.stdout), collect(child.stderr)];
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitMs);
  const end = await ended(child);
  clearTimeout(timer);
  const told = lastLine(out());
  if (told)
    return told.reason === '' ? told : { ...told, reason: inWords(missingIn(complaints()) ?? told.reason) };
  const reason = isLate ? `it did not answer within ${limitMs / 1000} s` : crashed(end, complaints());
  return { reason, half: false, speed: null };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (part: string) => {
    text = (text + part).slice(-64 * 2 ** 10);
  });
  return () => text;
}

/** How it ended, in words. */
function ended(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(error.message));
  child.once('close', (code, signal) => resolve(signal ?? `code ${code}`));
  return promise;
}

function crashed(end: string, complaints: string): string {
  const last = complaints.trim().split('\n').at(-1);
  return `its trial ended with ${end}${last ? `: ${inWords(last)}` : ''}`;
}

function lastLine(text: string): Trial | undefined {
  for (const line of text.split('\n').reverse()) {
    const trial = parsed(line);
    if (trial) return trial;
  }
  return undefined;
}

function parsed(line: string): Trial | undefined {
  try {
    return trialSchema.parse(JSON.parse(line));
  } catch {
    return undefined; // a library that prints, or half a line
  }
}

/** The library that the runtime did not find, which it tells on the side. */
const missingIn = (complaints: string): string | undefined => /with error: (.+)/.exec(complaints)?.[1];

/** The runtime puts the place in its own source before what it has to say. */
function inWords(reason: string): string {
  const [line = ''] = reason.split('\n').filter((text) => text.trim() !== '');
  const plain = line
    .replace(/^.*? was false\. /, '')
    .replace(/^\/\S+:\d+ .*?(?=\[ONNXRuntimeError\])/, '')
    .trim();
  return plain.length > MOST_REASON ? `${plain.slice(0, MOST_REASON)}…` : plain;
}
