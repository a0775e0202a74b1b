/** What the commands that score have in common: flags to config, catalog and pipeline; many items to results. */
import { join } from 'node:path';
import { type Config, loadConfig } from '../config.ts';
import { createPipeline, type Pipeline } from '../pipeline.ts';
import { BUILT_IN_MODELS, type Catalog, openCatalog } from '../reward/catalog.ts';
import type { ScoreItem, ScoreResult } from '../types.ts';
import type { ScorerFlags } from './flags.ts';

/** Folder that `models import` copies to. */
export const importedModels = (config: Config): string => join(config.dataDir, 'models');

/** Flags that are settings, too. */
const KNOWN = [
  'scorer',
  'variant',
  'providers',
  'threads',
  'dataDir',
  'host',
  'port',
  'socket',
  'token',
  'tokenFile',
  'logLevel',
  'keepAliveMs',
];

/** Config from flags; `--models` takes the place of configured folders. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export function configOf(flags: ScorerFlags & object): Config {
  const { config: file, models, ...rest } = flags;
  const given = Object.fromEntries(Object.entries(rest).filter(([key]) => KNOWN.includes(key)));
  return loadConfig({ ...given, modelDirs: models }, file);
}

/** Says what of the configuration was ignored; the daemon says it in its log. */
export function tellNotes({ notes }: Config): void {
  for (const note of notes) process.stderr.write(`assay: ${note}\n`);
}

export const catalogOf = (config: Config): Catalog =>
  openCatalog({
    ...config,
    // What ships comes before what was imported: an import never changes what a plain id means.
    modelDirs: [...config.modelDirs, BUILT_IN_MODELS, importedModels(config)],
    defaultId: config.scorer,
  });

export interface Opened {
  config: Config;
  catalog: Catalog;
  pipeline: Pipeline;
}

/** Catalog and pipeline for a command that scores here, without a daemon. */
export function openPipeline(flags: ScorerFlags): Opened {
  const config = configOf(flags);
  tellNotes(config);
  const catalog = catalogOf(config);
  return { config, catalog, pipeline: createPipeline(catalog, config) };
}

/** Images in work at once: enough to fill the batches, few enough to stay small. */
const IN_FLIGHT = 48;

/** Scores any number of items, a window of them at a time. Results in order; `onDone` is told after each. */
export async function scoreAll(
  pipeline: Pipeline,
  items: ScoreItem[],
  signal: AbortSignal,
  onDone: (done: number, total: number, result: ScoreResult, index: number) => void,
): Promise<ScoreResult[]> {
  const results = new Array<ScoreResult>(items.length);
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      const [result] = await pipeline.score({ items: [items[index]!], client: 'cli', signal });
      results[index] = result!;
      onDone(++done, items.length, result!, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, items.length) }, lane));
  return results;
}
