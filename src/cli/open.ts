/** What the commands that score have in common: flags to a runtime; many items to results. */
import { type Config, loadConfig, SETTINGS } from '../config.ts';
import { openRuntime, type Runtime } from '../runtime.ts';
import type { Policy } from '../types/policy.ts';
import type { ScoreItem } from '../types/request.ts';
import type { ScoreResult } from '../types/result.ts';
import type { Service } from '../types/service.ts';
import type { ScorerFlags } from './input/flags.ts';

/** Names of settings: a flag that is called like one is that setting. */
const NAMES = new Set(SETTINGS.flatMap(({ path: [name, ...rest] }) => (rest.length === 0 ? [name] : [])));

/**
 * Config from flags; `--models` takes the place of configured folders.
 *
 * @param hosts what flags say of hosts, by their ids
 * @throws CONFIG_INVALID, CONFIG_UNREADABLE
 */
export function configOf(flags: ScorerFlags & object, hosts: object = {}): Config {
  const { config: file, models, ...rest } = flags;
  const given = Object.fromEntries(Object.entries(rest).filter(([key]) => NAMES.has(key)));
  return loadConfig({ ...given, ...hosts, modelDirs: models }, file);
}

/** Says what of the configuration was ignored; the daemon says it in its log. */
export function tellNotes({ notes }: Config): void {
  for (const note of notes) process.stderr.write(`assay: ${note}\n`);
}

/** The runtime of a command that scores here, without a daemon. Nothing is recorded. */
export function openFor(flags: ScorerFlags): Runtime {
  const config = configOf(flags);
  tellNotes(config);
  const runtime = openRuntime({ config, unrecorded: 'commands on files do not record' });
  for (const { code, message } of runtime.catalog.broken())
    if (code === 'MODELS_UNREADABLE') process.stderr.write(`assay: ${message}\n`);
  return runtime;
}

/** Images in work at once: enough to fill the batches, few enough to stay small. */
const IN_FLIGHT = 48;

export interface ScoreAll {
  count: number;
  itemAt: (index: number) => ScoreItem;
  /** Thresholds; those of the config when absent. */
  policy?: Policy | undefined;
  /** Once it aborts, no item is begun, and those that run are given up. */
  signal: AbortSignal;
  /** Told of each result as it comes, in any order; the next item waits for it. Not told of what was given up. */
  onResult: (index: number, result: ScoreResult) => void | Promise<void>;
}

/** Scores any number of items by the configured scorer, a window of them at a time. */
export function scoreAll(service: Pick<Service, 'score'>, options: ScoreAll): Promise<void> {
  const { itemAt, policy, signal, onResult } = options;
  return inWindow(options, async (index) => {
    const [result] = await service.score({ items: [itemAt(index)], client: 'cli', signal, policy });
    if (signal.aborted && result!.error?.code === 'CANCELLED') return;
    await onResult(index, result!);
  });
}

/** Does it with every index, a window of them at a time, until the signal aborts. */
export async function inWindow(
  { count, signal }: Pick<ScoreAll, 'count' | 'signal'>,
  act: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count && !signal.aborted) await act(next++);
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, lane));
}
