/**
 * Watching one host, put together: the host, what is known of its files, and what may be done to them. A watch runs in
 * a command of its own, or inside the daemon, whose model and history it shares.
 */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { HostSettings } from './bridge/hosts/settings.ts';
import type { Config } from './config.ts';
import { fail, toAssayError } from './errors/error.ts';
import { LEFTOVER, tagFile } from './files/metadata/file.ts';
import { recordOf, writeScore } from './files/metadata/metadata.ts';
import { openOutputFolder } from './files/output-folder.ts';
import { openRejectBin } from './files/rejects/bin.ts';
import { doubtOn, folderToldBy } from './files/told-folder.ts';
import type { Host, OutputRow } from './host.ts';
import { isHere } from './lib/here.ts';
import { pause } from './lib/pause.ts';
import { version } from './lib/version.ts';
import type { PolicyFile } from './loops/policy/policy-file.ts';
import { type Choice, leaveReason } from './loops/watch/choice.ts';
import type { Tagger, WatchParts } from './loops/watch/ports.ts';
import { watch } from './loops/watch/watch.ts';
import type { Runtime } from './runtime.ts';
import { holderWords, takeHold } from './store/file/hold.ts';
import type { ScoreResult } from './types/result.ts';

/** What of a host's settings is about its images, and what is done to them. */
export interface WatchSettings extends Pick<HostSettings, 'outputDir' | 'linkedDirs'>, Choice {
  /** Thresholds, and what is done by verdict. */
  policy: PolicyFile;
  /** Leaves previews out. */
  outputsOnly: boolean;
  /** Ends when all that the host holds is done. */
  once: boolean;
  /** Id of the kind of host, by which its nodes call themselves. */
  kind: string;
}

/** Who is told what becomes of the images. */
export type WatchListener = Pick<WatchParts, 'onImage' | 'onKnown' | 'onLeft' | 'onTrouble'>;

export interface Watcher {
  /** Until the signal aborts, or with `once` until all is done. @throws as `watch`, OUTPUT_DIR_UNKNOWN, OUTPUT_DIR_UNUSABLE */
  run(listener: WatchListener, signal: AbortSignal): Promise<void>;
  /** Lets another process watch that host. */
  close(): void;
}

/** The name of a host in the ledger: names of this machine are one host. */
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

function binFor(rejectDir: string, host: string) {
  const bin = openRejectBin(rejectDir);
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

type Files = NonNullable<WatchParts['files']>;

/** What is done to files beside keeping them. */
const deedsOf = ({ policy }: WatchSettings) =>
  Object.values(policy.actions).filter((action) => action !== 'keep');

/** @throws OUTPUT_DIR_UNUSABLE, REJECT_BIN_UNUSABLE */
async function filesIn(path: string, { config, settings, host, name }: FilesParts): Promise<Files> {
  const { rejectDir, limits } = config;
  const deeds = deedsOf(settings);
  const folder = openOutputFolder(path, {
    writable: deeds.length > 0,
    maxImageBytes: limits.maxImageBytes,
    leftovers: LEFTOVER,
    except: rejectDir,
    linked: settings.linkedDirs,
    alone: host.truth === 'folder',
  });
  const bin = binFor(rejectDir, name);
  if (deeds.includes('move')) await bin.prepare();
  return { folder, bin, tagger };
}

interface FilesParts {
  config: Config;
  settings: WatchSettings;
  host: Host;
  name: string;
}

/** What may be done in the output folder that was given; undefined when none was. @throws OUTPUT_DIR_REQUIRED */
async function givenFiles(parts: FilesParts): Promise<Files | undefined> {
  const { settings, host } = parts;
  if (settings.outputDir !== undefined) return filesIn(settings.outputDir, parts);
  const deeds = deedsOf(settings);
  if (host.truth !== 'folder' && deeds.length > 0)
    throw fail('OUTPUT_DIR_REQUIRED', { action: deeds.includes('move') ? 'move' : 'tag' });
  return undefined;
}

/** Between two tries to ask a host that is away for its folder. */
const ASK_AGAIN_MS = 2000;

/**
 * The folder that such a host names itself, where nothing else tells of its images. A host that is away is waited for.
 *
 * @throws OUTPUT_DIR_UNKNOWN, OUTPUT_DIR_UNUSABLE; with `once` what the host answers
 */
async function toldFiles(
  parts: FilesParts,
  { onTrouble }: WatchListener,
  signal: AbortSignal,
): Promise<Files | undefined> {
  for (;;) {
    try {
      return await filesIn(await folderToldBy(parts.host, signal), parts);
    } catch (thrown) {
      if (signal.aborted) return undefined;
      const error = toAssayError(thrown);
      if (error.kind !== 'retry' || parts.settings.once) throw error;
      onTrouble(error);
      await pause(ASK_AGAIN_MS, signal).catch(() => {});
    }
  }
}

/** Says so where the folder that was given is not the host's. */
async function checkFolder({ host, settings }: FilesParts, listener: WatchListener, signal: AbortSignal) {
  const doubt = await doubtOn(host, settings.outputDir!, signal);
  if (doubt && !signal.aborted) listener.onTrouble(doubt);
}

/** Of a folder, what is made while the scorer is loaded counts already. A history that cannot be used now is tried again. */
function beginNow(runtime: Runtime, name: string): void {
  try {
    runtime.ledger(name).begin();
  } catch (error) {
    if (toAssayError(error).code !== 'STORE_UNAVAILABLE') throw error;
  }
}

/** Where the folder is all that tells of new images, it is looked into as soon as something hints at one. */
const FOLDER_GAP_MS = 1000;

/** Lets scorers know when the host makes images. @returns what ends it */
function tellOf(host: Host, name: string, runtime: Runtime): () => void {
  // Only a host on this machine can have the same GPU.
  if (!isHere(host.url)) return () => {};
  return runtime.beside({
    name,
    get isBusy() {
      return host.isBusy ?? false;
    },
  });
}

/** One watch alone for a host and data folder: two would score everything twice and be in each other's way. */
function holdWatch({ dataDir }: Config, name: string): { release(): void } {
  const hold = takeHold(join(dataDir, `watch-${hash('sha256', name).slice(0, 12)}.lock`));
  if ('release' in hold) return hold;
  throw fail('WATCH_HELD', { url: name, dataDir, holder: holderWords(hold.holder) });
}

/** The history is how a watch knows what it has scored. @throws STORE_UNAVAILABLE */
function checkHistory({ history }: Config): void {
  const reason = 'it is switched off in the config, and watching needs it';
  if (!history) throw fail('STORE_UNAVAILABLE', { reason });
}

/**
 * Prepares to watch a host.
 *
 * @throws STORE_UNAVAILABLE, OUTPUT_DIR_REQUIRED, OUTPUT_DIR_UNUSABLE, REJECT_BIN_UNUSABLE, WATCH_HELD
 */
export async function openWatcher(runtime: Runtime, host: Host, settings: WatchSettings): Promise<Watcher> {
  const { config } = runtime;
  const { policy, outputsOnly, once } = settings;
  const name = ledgerName(host.url);
  checkHistory(config);
  const parts = { config, settings, host, name };
  const given = await givenFiles(parts);
  const hold = holdWatch(config, name);
  const leave = tellOf(host, settings.kind, runtime);

  /** The ledger records the verdict together with the file. */
  const score: WatchParts['score'] = async (item, signal) => {
    const [result] = await runtime.score({
      ...{ items: [item], policy: policy.policy, client: 'watch', records: 'itself', signal },
    });
    return result!;
  };

  const chosen = leaveReason(settings);
  const isFolder = host.truth === 'folder';
  if (isFolder) beginNow(runtime, name);

  return {
    async run(listener, signal) {
      const files = given ?? (isFolder ? await toldFiles(parts, listener, signal) : undefined);
      if (isFolder && !files) return;
      if (isFolder && given) void checkFolder(parts, listener, signal);
      await watch(
        {
          ...{ host, ledger: runtime.ledger(name), score, actions: policy.actions, files, outputsOnly, once },
          leaves: (file, image) => (image ? undefined : host.leaves?.(file)) ?? chosen(file, image),
          ...listener,
          pace: { drainMs: config.drainTimeoutMs, ...(isFolder && { folderGapMs: FOLDER_GAP_MS }) },
        },
        signal,
      );
    },
    close() {
      leave();
      hold.release();
    },
  };
}
