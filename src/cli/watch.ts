/** `assay watch`: scores every image that a host makes, whoever asked for it. */
import type { Config } from '../config.ts';
import { EXIT } from '../errors/exit.ts';
import type { Host } from '../host.ts';
import { startCollector } from '../lib/collector.ts';
import { createLog } from '../log.ts';
import { policyFrom } from '../loops/policy/policy-file.ts';
import { findInMade } from '../prompt/made.ts';
import { openRuntime } from '../runtime.ts';
import { openWatcher, type Watcher } from '../watcher.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { runLong } from './process/long-running.ts';
import { type ChoiceFlags, hostOf } from './watch/options.ts';
import { createReport, type WatchFormat } from './watch/report.ts';

export interface WatchFlags extends ScorerFlags, ChoiceFlags {
  policy?: string;
  outputsOnly?: boolean;
  once?: boolean;
  format: WatchFormat;
  logLevel?: string;
}

/** How often warnings of the host are told. */
const WARNINGS_EVERY_MS = 60_000;

/** Says that watching begins, where it does not disturb the images' lines. */
async function greet(host: Host, config: Config, format: WatchFormat, signal: AbortSignal): Promise<void> {
  const { kind, version: found, notes } = await host.describe(signal);
  const line = `watching ${kind} ${found ?? 'of unknown version'} at ${host.url} (scorer ${config.scorer}); Ctrl-C stops it`;
  (format === 'jsonl' ? process.stderr : process.stdout).write(`${line}\n`);
  for (const note of notes) process.stderr.write(`assay: ${kind}: ${note}\n`);
}

async function report(watcher: Watcher, host: Host, flags: WatchFlags, signal: AbortSignal): Promise<number> {
  const { once = false, format } = flags;
  const told = createReport(format);
  const timer = setInterval(() => told.warnings(host.warnings), WARNINGS_EVERY_MS);
  try {
    const listener = {
      onImage: told.image,
      // Without an end there is no sum to tell, and nothing to keep for it.
      onKnown: once ? told.known : undefined,
      onLeft: told.left,
      onTrouble: told.trouble,
    };
    await watcher.run(listener, signal);
    return once && told.counts.failed > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    clearInterval(timer);
    told.end(host.warnings);
  }
}

/** Runs until it is told to stop, or with `--once` until all that the host holds now is done. */
export async function watchHost(flags: WatchFlags): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  const { kind, settings } = hostOf(config, flags);
  const policy = policyFrom(flags.policy ?? settings.policyFile, config.policy);
  const host = await kind.create({ settings, limits: config.limits, findPrompt: findInMade });
  const log = createLog(config.logLevel);
  const { signal, codeOr, release } = runLong(log, config.drainTimeoutMs);
  const collector = startCollector();
  const runtime = openRuntime({ config, log });
  runtime.catalog.onTrouble((trouble) => log.warn(trouble));
  let watcher: Watcher | undefined;
  try {
    const { outputsOnly = settings.outputsOnly, once = false } = flags;
    watcher = await openWatcher(runtime, host, { ...settings, kind: kind.id, policy, outputsOnly, once });
    await greet(host, config, flags.format, signal);
    for (const note of (await runtime.catalog.open()).notes) process.stderr.write(`${note}\n`);
    return codeOr(await report(watcher, host, flags, signal));
  } catch (error) {
    if (signal.aborted) return codeOr(EXIT.ok);
    throw error;
  } finally {
    watcher?.close();
    await Promise.all([host.close(), runtime.close()]);
    collector.stop();
    release();
  }
}
