/** The watches inside the daemon: every image of a host is scored by the same model, into the same history. */
import type { HostKind } from './bridge/hosts/kind.ts';
import { HOST_KINDS } from './bridge/hosts/kinds.ts';
import type { Log } from './log.ts';
import { policyFrom } from './loops/policy/policy-file.ts';
import { nameOf } from './loops/watch/jobs.ts';
import type { WatchedImage } from './loops/watch/ports.ts';
import { Told } from './loops/watch/told.ts';
import { findInMade } from './prompt/made.ts';
import type { Runtime } from './runtime.ts';
import { openWatcher, type WatchListener } from './watcher.ts';

export interface Watches {
  /** Lets images in work be finished, then ends. */
  close(): Promise<void>;
}

const summaryOf = ({ output, result }: WatchedImage) => ({
  image: nameOf(output),
  prompt: result.prompt,
  quality: result.aspects?.quality?.score ?? null,
  percentile: result.aspects?.quality?.percentile ?? null,
  verdict: result.error?.code ?? result.decision,
  reasons: result.error ? [result.error.message] : result.reasons,
  action: output.action === 'keep' ? undefined : `${output.action} ${output.state}`,
  actionReason: output.reason ?? undefined,
});

/** What a watch says, in the daemon's log. */
function listenerFor({ id: host }: HostKind, log: Log): { listener: WatchListener; end(): void } {
  const told = new Told();
  const listener: WatchListener = {
    onImage(image) {
      if (told.image(image)) log.info({ host, ...summaryOf(image) }, 'image of a host');
    },
    onLeft(image, reason) {
      const named = told.left(reason);
      const more = named === 'last' ? '; more of these are counted at the end' : '';
      if (named !== 'no') log.info({ host, image, reason }, `image left alone${more}`);
    },
    onTrouble({ code, message, fix }) {
      if (told.trouble(code)) log.warn({ host, code, reason: message, fix }, 'watching');
    },
  };
  const end = () => {
    for (const [reason, count] of told.leftAlone) log.info({ host, reason, count }, 'images left alone');
  };
  return { listener, end };
}

async function startWatch(runtime: Runtime, kind: HostKind, log: Log, signal: AbortSignal) {
  const { config } = runtime;
  const settings = config.hosts[kind.id]!;
  const { policyFile, outputsOnly } = settings;
  const policy = policyFrom(policyFile, config.policy);
  const host = await kind.create({ settings, log, limits: config.limits, findPrompt: findInMade });
  const watcher = await openWatcher(runtime, host, {
    ...settings,
    kind: kind.id,
    policy,
    outputsOnly,
    once: false,
  });
  log.info({ host: kind.id, url: host.url }, 'watching a host');
  const { listener, end } = listenerFor(kind, log);
  const ended = watcher
    .run(listener, signal)
    .catch((error) => log.error({ err: error, host: kind.id }, 'a watch has ended'))
    .finally(async () => {
      end();
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
