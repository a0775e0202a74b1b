/** Scores of the daemon for the pictures and prompts of a parity report, against those of torch. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemonUnderTest } from '../../src/bench/daemon.ts';
import { quantile } from '../../src/bench/figures.ts';
import type { Aspect } from '../../src/types/aspect.ts';
import type { ScoreResult } from '../../src/types/result.ts';
import { type KnownStates, type StatesServer, startStates } from './states.ts';

/** Largest difference, as a share of the score's range, by variant. */
export const LIMITS: Record<string, number> = { fp32: 1e-3, fp16: 5e-3, int8: 2e-2 };

/** What `python -m assay_training parity` writes. */
interface Report {
  id: string;
  items: {
    image: string;
    prompt: string;
    scores: Partial<Record<Aspect, number>>;
    /** What the language model holds of the image, where the scorer asks one. */
    states?: KnownStates;
  }[];
}

/** Differences between daemon and torch, as shares of the range. */
export interface Differences {
  count: number;
  median: number;
  p95: number;
  largest: number;
}

export const readReport = (folder: string, system: string): Report =>
  JSON.parse(readFileSync(join(folder, `${system}.json`), 'utf8'));

/** Flags of a daemon that serves one variant of a system. */
export const flagsOf = (
  folder: string,
  id: string,
  variant: string,
  dataDir = join(folder, 'data'),
): string[] => [
  '--models',
  join(folder, 'models'),
  '--scorer',
  id,
  '--variant',
  variant,
  '--data-dir',
  dataDir,
];

async function scoreOne(url: string, folder: string, item: Report['items'][number]): Promise<ScoreResult> {
  const image = readFileSync(join(folder, 'images', item.image)).toString('base64');
  const response = await fetch(`${url}/v1/score`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items: [{ id: 'a', prompt: item.prompt, image }] }),
  });
  const { results, error } = (await response.json()) as {
    results?: ScoreResult[];
    error?: { message: string };
  };
  const message = error?.message ?? results?.[0]?.error?.message;
  if (message) throw new Error(`${item.image}, "${item.prompt}": ${message}`);
  return results![0]!;
}

function differences(result: ScoreResult, expected: Partial<Record<Aspect, number>>): number[] {
  return Object.entries(expected).map(([aspect, value]) => {
    const found = result.aspects![aspect as Aspect];
    if (!found) throw new Error(`${aspect} is missing`);
    const [low, high] = found.range;
    const wanted = Math.min(high, Math.max(low, value));
    return Math.abs(found.score - wanted) / (high - low);
  });
}

/** The variants of a folder that have a limit. */
function variantsOf(folder: string, id: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'models', id, 'manifest.json'), 'utf8'));
  return Object.keys(LIMITS).filter((variant) => Object.hasOwn(manifest.variants, variant));
}

/** Flags that tell a scorer where its language model is. */
export function flagsFor(folder: string, id: string, server: StatesServer | undefined): string[] {
  if (!server) return [];
  const path = join(folder, `${id}.config.json`);
  writeFileSync(path, JSON.stringify({ languageModels: { [id]: { url: server.url } } }));
  return ['--config', path];
}

/** Differences of every variant that has a limit. */
export async function comparisons(folder: string, system: string): Promise<[string, Differences][]> {
  const { id, items } = readReport(folder, system);
  const server = items[0]!.states && (await startStates());
  try {
    return await allOf(folder, id, items, server);
  } finally {
    await server?.stop();
  }
}

async function allOf(
  folder: string,
  id: string,
  items: Report['items'],
  server: StatesServer | undefined,
): Promise<[string, Differences][]> {
  const all: [string, Differences][] = [];
  for (const variant of variantsOf(folder, id)) {
    const flags = [...flagsOf(folder, id, variant), ...flagsFor(folder, id, server)];
    const daemon = await startDaemonUnderTest(flags);
    try {
      const found: number[] = [];
      for (const item of items) {
        if (server) server.states = item.states!;
        found.push(...differences(await scoreOne(daemon.url, folder, item), item.scores));
      }
      const [median, p95, largest] = [0.5, 0.95, 1].map((q) => quantile(found, q)) as [
        number,
        number,
        number,
      ];
      all.push([variant, { count: found.length, median, p95, largest }]);
    } finally {
      await daemon.stop();
    }
  }
  return all;
}
