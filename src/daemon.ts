/** The daemon: puts store, reward core, pipeline and bridges together, and takes them down again. */
import { startServer } from './bridge/server/server.ts';
import type { Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { doubtsOf } from './loops/policy.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import type { Catalog } from './reward/catalog.ts';
import { offStore } from './store/off.ts';
import { openStore, retentionOf, type Store } from './store/store.ts';
import type { ScoreRequest, ScoreResult, Service } from './types.ts';

export interface Daemon {
  /** Base address, e.g. `http://127.0.0.1:7878`. */
  url: string;
  /** Resolves once the default scorer is loaded and warm; until then scoring requests wait for it. */
  ready: Promise<void>;
  /** Refuses new requests, lets running ones finish, closes everything. */
  close(): Promise<void>;
}

type Listener = (result: ScoreResult, client: string) => void;

interface Parts {
  catalog: Catalog;
  pipeline: Pipeline;
  store: Store;
  listeners: Set<Listener>;
  notReady: () => string | null;
}

/** 10 reply, record: every result goes to the store and to whoever subscribed; neither can fail the reply. */
function createService({ catalog, pipeline, store, listeners, notReady }: Parts): Service {
  const publish = ({ client }: ScoreRequest, results: ScoreResult[]): void => {
    store.record(results, client);
    for (const listener of listeners) for (const result of results) listener(result, client);
  };
  return {
    async score(request) {
      const results = await pipeline.score(request);
      publish(request, results);
      return results;
    },
    async rank(request) {
      const ranking = await pipeline.rank(request);
      publish(request, ranking.results);
      return ranking;
    },
    scorers: () => catalog.list(),
    history: (query, signal) => store.history(query, signal),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    notReady,
    load: () => pipeline.load(),
    recording: () => store.status(),
  };
}

/** Loads the default scorer in the background, so that the address answers at once. */
function warmUp(catalog: Catalog, log: Log): { ready: Promise<void>; notReady: () => string | null } {
  let reason: string | null = 'the default scorer is loading';
  const ready = catalog.open().then(
    (scorer) => {
      reason = null;
      for (const note of scorer.notes) log.warn({ scorer: scorer.stamp.id }, note);
      log.info({ scorer: scorer.stamp, provider: scorer.provider }, 'scorer ready');
    },
    (error: Error) => {
      reason = error.message;
      log.error({ err: error }, 'the default scorer cannot be loaded');
      throw error;
    },
  );
  ready.catch(() => {});
  return { ready, notReady: () => reason };
}

/**
 * Starts the daemon.
 *
 * @throws PORT_IN_USE, LISTEN_FAILED, TOKEN_REQUIRED, UNKNOWN_SCORER; `ready` rejects when the default scorer is unfit
 * @example const daemon = await startDaemon({ config: loadConfig({ port: 0 }), catalog, version: '1.0.0' });
 */
export async function startDaemon(options: {
  config: Config;
  catalog: Catalog;
  version: string;
}): Promise<Daemon> {
  const { config, catalog, version } = options;
  const log = createLog(config.logLevel);
  const { manifest } = catalog.find();
  const doubts = doubtsOf(config.policy, manifest.id, manifest.aspects);
  for (const note of [...config.notes, ...doubts]) log.warn(note);
  const pipeline = createPipeline(catalog, config, log);
  const { ready, notReady } = warmUp(catalog, log);
  const store = config.history
    ? openStore({ dataDir: config.dataDir, log, retention: retentionOf(config) })
    : offStore('it is switched off in the config');
  const service = createService({ catalog, pipeline, store, listeners: new Set(), notReady });
  const closeParts = async () => {
    await catalog.close();
    await store.close();
  };
  try {
    const server = await startServer({ config, log, service, version });
    return {
      url: server.url,
      ready,
      async close() {
        await server.close({ drainTimeoutMs: config.drainTimeoutMs });
        await closeParts();
      },
    };
  } catch (error) {
    await closeParts();
    throw error;
  }
}
