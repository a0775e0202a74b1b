/** The daemon: puts store, reward core, pipeline and bridges together, and takes them down again. */
import { startServer } from './bridge/server/server.ts';
import type { Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { doubtsOf } from './loops/policy.ts';
import { textsOf } from './metadata/texts.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { findPrompt } from './prompt/find.ts';
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
}

/** Whether the item was given up before it had a result; whoever asks again gets one, and that is recorded. */
const isUnfinished = ({ error }: ScoreResult, { signal }: ScoreRequest): boolean =>
  signal.aborted && error?.code === signal.reason.code;

/**
 * 10 reply, record: every result goes to the store and to whoever subscribed; neither can fail the reply. What nobody
 * was told is not recorded.
 */
function createService({ catalog, pipeline, store, listeners }: Parts): Service {
  const publish = (request: ScoreRequest, results: ScoreResult[]): void => {
    const { client, signal } = request;
    if (signal.aborted && signal.reason.code === 'CANCELLED') return;
    const finished = results.filter((result) => !isUnfinished(result, request));
    if (finished.length > 0) store.record(finished, client);
    for (const listener of listeners) for (const result of finished) listener(result, client);
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
    refusedScorers: () => catalog.refused(),
    findPrompt: (place) => findPrompt(place, textsOf),
    history: (query, signal) => store.history(query, signal),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    notReady: () => notReady(catalog),
    load: () => pipeline.load(),
    recording: () => store.status(),
  };
}

/** Loads the default scorer in the background, so that the address answers at once. */
async function warmUp(catalog: Catalog, log: Log): Promise<void> {
  catalog.onTrouble((trouble) => log.warn(trouble));
  try {
    const scorer = await catalog.open();
    const { stamp, provider } = scorer;
    const { notes } = catalog.list().find(({ default: isDefault }) => isDefault)!;
    for (const note of [...scorer.notes, ...notes]) log.warn({ scorer: stamp.id }, note);
    log.info({ scorer: stamp, provider }, 'scorer ready');
  } catch (error) {
    log.error({ err: error }, 'the default scorer cannot be loaded');
    throw error;
  }
}

const notReady = (catalog: Catalog): string | null => {
  const why = catalog.unready();
  return why && `the default scorer cannot score yet: ${why}`;
};

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
  log?: Log;
  /** Told of bytes of requests that are not needed any more. */
  onFreed?: (bytes: number) => void;
}): Promise<Daemon> {
  const { config, catalog, version, log = createLog(config.logLevel), onFreed } = options;
  const { manifest } = catalog.find();
  const doubts = doubtsOf(config.policy, manifest.id, manifest.aspects);
  const refused = catalog.broken().map(({ message }) => `a scorer is left out: ${message}`);
  for (const note of [...config.notes, ...doubts, ...refused]) log.warn(note);
  const pipeline = createPipeline(catalog, config, log);
  const ready = warmUp(catalog, log);
  ready.catch(() => {}); // for whoever does not ask
  const store = config.history
    ? openStore({ dataDir: config.dataDir, log, retention: retentionOf(config) })
    : offStore('it is switched off in the config');
  const service = createService({ catalog, pipeline, store, listeners: new Set() });
  const closeParts = async () => {
    await catalog.close();
    await store.close();
  };
  try {
    const server = await startServer({ config, log, service, version, onFreed });
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
