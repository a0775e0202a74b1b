/** The watches inside the daemon: every image of a host is scored by the same model, into the same history. */
import type { HostKind } from './bridge/hosts/kind.ts';
import { HOST_KINDS } from './bridge/hosts/kinds.ts';
import type { Log } from './log.ts';
import { KEEP_ALL, readPolicyFile } from './loops/policy/policy-file.ts';
import type { WatchedImage } from './loops/watch/ports.ts';
import { findInWorkflow } from './prompt/workflow/find.ts';
import type { Runtime } from './runtime.ts';
import { openWatcher, type WatchListener } from './watcher.ts';

export interface Watches {
  /** Lets images in work be finished, then ends. */
  close(): Promise<void>;
}

const summaryOf = ({ output, result }: WatchedImage) => ({
  image: [output.subfolder, output.filename].filter(Boolean).join('/'),
  quality: result.aspects?.quality?.score ?? null,
  percentile: result.aspects?.quality?.percentile ?? null,
  verdict: result.error?.code ?? result.decision,
  reasons: result.reasons,
  action: output.action === 'keep' ? undefined : `${output.action} ${output.state}`,
});

/** What a watch says, in the daemon's log. */
const listenerFor = (kind: HostKind, log: Log): WatchListener => ({
  onImage: (image) => log.info({ host: kind.id, ...summaryOf(image) }, 'image of a host'),
  onLeft: (name, reason) => log.debug({ host: kind.id, image: name, reason }, 'image left alone'),
  onTrouble: (error) => log.warn({ host: kind.id, code: error.code, reason: error.message }, 'watching'),
});

async function startWatch(runtime: Runtime, kind: HostKind, log: Log, signal: AbortSignal) {
  const { config } = runtime;
  const settings = config.hosts[kind.id]!;
  const { policyFile, outputsOnly } = settings;
  const policy =
    policyFile === undefined ? { policy: config.policy, actions: KEEP_ALL } : readPolicyFile(policyFile);
  const host = await kind.create({ settings, log, limits: config.limits, findPrompt: findInWorkflow });
  const watcher = await openWatcher(runtime, host, { ...settings, policy, outputsOnly, once: false });
  log.info({ host: kind.id, url: host.url }, 'watching a host');
  const ended = watcher
    .run(listenerFor(kind, log), signal)
    .catch((error) => log.error({ err: error, host: kind.id }, 'a watch has ended'))
    .finally(async () => {
      watcher.close();
      await host.close();
    });
  return { ended };
}

/**
 * Starts a watch for each host whose settings ask for it. A host may be away, and come later.
 *
 * @throws as `openWatcher`, and what reading a policy file throws
 */
export async function startWatches(runtime: Runtime, log: Log): Promise<Watches> {
  const stop = new AbortController();
  const wanted = HOST_KINDS.filter(({ id }) => runtime.config.hosts[id]!.watch);
  const running: { ended: Promise<void> }[] = [];
  const close = async () => {
    stop.abort();
    await Promise.all(running.map(({ ended }) => ended));
  };
  try {
    for (const kind of wanted) running.push(await startWatch(runtime, kind, log, stop.signal));
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
