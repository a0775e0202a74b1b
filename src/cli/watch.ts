/** `assay watch`: scores every image that a host makes, whoever asked for it. */
import type { HostSettings } from '../bridge/hosts/settings.ts';
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { LEFTOVER, tagFile } from '../files/metadata/file.ts';
import { recordOf, writeScore } from '../files/metadata/metadata.ts';
import { openOutputFolder } from '../files/output-folder.ts';
import { openRejectBin } from '../files/rejects/bin.ts';
import type { Host, OutputRow } from '../host.ts';
import { startCollector } from '../lib/collector.ts';
import { version } from '../lib/version.ts';
import { createLog } from '../log.ts';
import { KEEP_ALL, type PolicyFile, readPolicyFile } from '../loops/policy/policy-file.ts';
import { leaveReason } from '../loops/watch/choice.ts';
import type { Tagger, WatchParts } from '../loops/watch/ports.ts';
import { watch } from '../loops/watch/watch.ts';
import { createPipeline, type Pipeline } from '../pipeline.ts';
import { findInWorkflow } from '../prompt/workflow/find.ts';
import { openStore, retentionOf, type Store } from '../store/store.ts';
import type { ScoreResult } from '../types.ts';
import type { ScorerFlags } from './input/flags.ts';
import { catalogOf, configOf, tellNotes } from './open.ts';
import { runLong } from './process/long-running.ts';
import { holdWatch } from './watch/hold.ts';
import { type ChoiceFlags, hostOf } from './watch/options.ts';
import { createReport, type Report, type WatchFormat } from './watch/report.ts';

export interface WatchFlags extends ScorerFlags, ChoiceFlags {
  policy?: string;
  outputsOnly?: boolean;
  once?: boolean;
  format: WatchFormat;
  logLevel?: string;
}

/** How often warnings of the host are told. */
const WARNINGS_EVERY_MS = 60_000;

/** Names of this machine are one host to the ledger. */
export function ledgerName(url: string): string {
  const { protocol, hostname, host, port, pathname } = new URL(url);
  const isLocal = hostname === 'localhost' || hostname === '[::1]';
  const place = isLocal ? `127.0.0.1${port && `:${port}`}` : host;
  return `${protocol}//${place}${pathname.replace(/\/+$/, '')}`;
}

/** The same record each time, so that the bytes of a tagged file can be told in advance. */
function recordFor(output: OutputRow, result: ScoreResult) {
  const record = recordOf(result, version, new Date(output.at));
  if (!record) throw fail('METADATA_UNWRITABLE', { path: output.filename, reason: 'it has no score' });
  return record;
}

const tagger: Tagger = {
  tagged: (bytes, output, result) => writeScore(bytes, recordFor(output, result), output.filename),
  write: (path, output, result) => tagFile(path, recordFor(output, result), output.sha256 ?? undefined),
};

function binFor(config: Config, host: string) {
  const bin = openRejectBin(config.rejectDir);
  const entry = (output: OutputRow, result: ScoreResult) => {
    const { type, subfolder, filename, at, sha256 } = output;
    return { host, image: { type, subfolder, filename }, at, sha256: sha256 ?? '', result };
  };
  return {
    prepare: bin.prepare,
    holds: (output: OutputRow, result: ScoreResult) => bin.holds(entry(output, result)),
    put: (path: string, output: OutputRow, result: ScoreResult) => bin.put(path, entry(output, result)),
  };
}

/**
 * What may be done in the host's output folder; undefined when none is allowed.
 *
 * @throws OUTPUT_DIR_REQUIRED, OUTPUT_DIR_UNUSABLE, REJECT_BIN_UNUSABLE
 */
async function filesFor(config: Config, settings: HostSettings, { actions }: PolicyFile, host: string) {
  const { outputDir: path, linkedDirs: linked } = settings;
  const wanted = Object.values(actions).filter((action) => action !== 'keep');
  if (path === undefined) {
    if (wanted.length > 0)
      throw fail('OUTPUT_DIR_REQUIRED', { action: wanted.includes('move') ? 'move' : 'tag' });
    return undefined;
  }
  const folder = openOutputFolder(path, {
    writable: wanted.length > 0,
    maxImageBytes: config.limits.maxImageBytes,
    leftovers: LEFTOVER,
    except: config.rejectDir,
    linked,
  });
  const bin = binFor(config, host);
  if (wanted.includes('move')) await bin.prepare();
  return { folder, bin, tagger };
}

const scoreWith =
  (pipeline: Pipeline, { policy }: PolicyFile): WatchParts['score'] =>
  async (item, signal) => {
    const [result] = await pipeline.score({ items: [item], policy, client: 'watch', signal });
    return result!;
  };

/** The history is how a watch knows what it has scored. @throws STORE_UNAVAILABLE */
function checkHistory({ history }: Config): void {
  const reason = 'it is switched off in the config, and watching needs it';
  if (!history) throw fail('STORE_UNAVAILABLE', { reason });
}

/** Says that watching begins, where it does not disturb the images' lines. */
async function greet(host: Host, config: Config, format: WatchFormat, signal: AbortSignal): Promise<void> {
  const { kind, version: found, notes } = await host.describe(signal);
  const line = `watching ${kind} ${found ?? 'of unknown version'} at ${host.url} (scorer ${config.scorer}); Ctrl-C stops it`;
  (format === 'jsonl' ? process.stderr : process.stdout).write(`${line}\n`);
  for (const note of notes) process.stderr.write(`assay: ${note}\n`);
}

async function run(parts: WatchParts, report: Report, signal: AbortSignal): Promise<number> {
  const timer = setInterval(() => report.warnings(parts.host.warnings), WARNINGS_EVERY_MS);
  try {
    await watch(parts, signal);
    return parts.once && report.counts.failed > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    clearInterval(timer);
    report.end(parts.host.warnings);
  }
}

/** Runs until it is told to stop, or with `--once` until all that the host holds now is done. */
export async function watchHost(flags: WatchFlags): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  checkHistory(config);
  const { kind, settings } = hostOf(config, flags);
  const policy = flags.policy ? readPolicyFile(flags.policy) : { policy: config.policy, actions: KEEP_ALL };
  const host = await kind.create({ settings, limits: config.limits, findPrompt: findInWorkflow });
  const files = await filesFor(config, settings, policy, ledgerName(host.url));
  const catalog = catalogOf(config);
  const log = createLog(config.logLevel);
  const { signal, codeOr, release } = runLong(log, config.drainTimeoutMs);
  const collector = startCollector();
  catalog.onTrouble((trouble) => log.warn(trouble));
  let store: Store | undefined;
  let hold: { release(): void } | undefined;
  try {
    hold = holdWatch(config, ledgerName(host.url));
    await greet(host, config, flags.format, signal);
    for (const note of (await catalog.open()).notes) process.stderr.write(`${note}\n`);
    store = openStore({ dataDir: config.dataDir, log, retention: retentionOf(config) });
    const report = createReport(flags.format);
    const parts: WatchParts = {
      host,
      ledger: store.ledger(ledgerName(host.url)),
      score: scoreWith(createPipeline(catalog, config), policy),
      actions: policy.actions,
      files,
      outputsOnly: flags.outputsOnly ?? false,
      leaves: leaveReason(settings),
      once: flags.once ?? false,
      onImage: report.image,
      // Without an end there is no sum to tell, and nothing to keep for it.
      onKnown: flags.once ? report.known : undefined,
      onLeft: report.left,
      onTrouble: report.trouble,
      pace: { drainMs: config.drainTimeoutMs },
    };
    return codeOr(await run(parts, report, signal));
  } catch (error) {
    if (signal.aborted) return codeOr(EXIT.ok);
    throw error;
  } finally {
    await Promise.all([host.close(), catalog.close()]);
    await store?.close();
    hold?.release();
    collector.stop();
    release();
  }
}
