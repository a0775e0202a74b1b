/** The daemon: the runtime with a server before it and watches beside it, and taken down again. */
import { startServer } from './bridge/server/server.ts';
import type { Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { doubtsOf } from './loops/policy/policy.ts';
import type { Roster } from './reward/model/catalog.ts';
import { profileDoubts } from './reward/profile/profiles.ts';
import { openRuntime, type Runtime } from './runtime.ts';
import { startWatches, type Watches } from './watches.ts';

export interface Daemon {
  /** Base address, e.g. `http://127.0.0.1:7878`. */
  url: string;
  /** Resolves once the default scorer is loaded and warm; until then scoring requests wait for it. */
  ready: Promise<void>;
  /** Refuses new requests, lets running ones finish, closes everything. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  config: Config;
  /** The scorers, where they are open already; closed with the daemon. */
  catalog?: Roster;
  version: string;
  log?: Log;
  /** Told of bytes of requests that are not needed any more. */
  onFreed?: (bytes: number) => void;
}

/** Loads the default scorer in the background, so that the address answers at once. */
async function warmUp(catalog: Roster, log: Log): Promise<void> {
  catalog.onTrouble((trouble) => log.warn(trouble));
  try {
    const scorer = await catalog.open();
    const { stamp, provider } = scorer;
    const { notes } = catalog.list().find(({ default: isDefault }) => isDefault)!;
    for (const note of new Set([...scorer.notes, ...notes])) log.warn({ scorer: stamp.id }, note);
    log.info({ scorer: stamp, provider }, 'scorer ready');
  } catch (error) {
    log.error({ err: error }, 'the default scorer cannot be loaded');
    throw error;
  }
}

/** What of the setup is not as it could be. */
function tellDoubts({ config, catalog }: Runtime, log: Log): void {
  const { manifest } = catalog.find();
  const doubts = [
    ...doubtsOf(config.policy, manifest.id, manifest.aspects),
    ...profileDoubts(config, (name) => catalog.find(name)),
  ];
  const refused = catalog.broken().map(({ message }) => `a scorer is left out: ${message}`);
  for (const note of [...config.notes, ...doubts, ...refused]) log.warn(note);
}

/**
 * Starts the daemon.
 *
 * @throws PORT_IN_USE, LISTEN_FAILED, TOKEN_REQUIRED, UNKNOWN_SCORER, and what starting a watch throws; `ready` rejects when the default scorer is unfit
 * @example const daemon = await startDaemon({ config: loadConfig({ port: 0 }), version: '1.0.0' });
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, version, log = createLog(config.logLevel, config.token), onFreed } = options;
  const runtime = openRuntime({ config, catalog: options.catalog, log });
  tellDoubts(runtime, log);
  const ready = warmUp(runtime.catalog, log);
  ready.catch(() => {}); // for whoever does not ask
  let watches: Watches | undefined;
  try {
    watches = await startWatches(runtime, log);
    const server = await startServer({ config, log, service: runtime, version, onFreed });
    return {
      url: server.url,
      ready,
      async close() {
        await Promise.all([watches?.close(), server.close({ drainTimeoutMs: config.drainTimeoutMs })]);
        await runtime.close();
      },
    };
  } catch (error) {
    await watches?.close();
    await runtime.close();
    throw error;
  }
}
