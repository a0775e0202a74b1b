/** `assay serve`: runs the daemon until it is told to stop. */
import { once } from 'node:events';
import { checkExposure } from '../bridge/server/http/access.ts';
import { checkFree } from '../bridge/server/http/listen.ts';
import { EXIT } from '../errors/exit.ts';
import { rosterOf } from '../judges.ts';
import { orAbort } from '../lib/abort.ts';
import { startCollector } from '../lib/collector.ts';
import { version } from '../lib/version.ts';
import { createLog } from '../log.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf } from './open.ts';
import { runLong } from './process/long-running.ts';

export interface ServeFlags extends ScorerFlags {
  host?: string;
  port?: number;
  socket?: string;
  token?: string;
  tokenFile?: string;
  logLevel?: string;
  /** Ids of hosts. */
  watch?: string[];
  /** Seconds. */
  keepAlive?: number;
}

/** Prints `assay ready on <url>` on stdout once requests are answered without waiting for the model. */
export async function serve(flags: ServeFlags): Promise<number> {
  const collector = startCollector();
  const { keepAlive, watch = [], ...rest } = flags;
  const hosts = Object.fromEntries(watch.map((id) => [id, { watch: true }]));
  const config = configOf(
    { ...rest, ...(keepAlive !== undefined && { keepAliveMs: 1000 * keepAlive }) },
    hosts,
  );
  // before a model is loaded in vain
  checkExposure(config);
  await checkFree(config);
  const log = createLog(config.logLevel, config.token);
  const { signal, codeOr, release } = runLong(log, config.drainTimeoutMs);
  const catalog = rosterOf(config);
  // The workers load the scorer while the server's modules are read here.
  catalog.open().catch(() => {}); // told by `daemon.ready`
  const { startDaemon } = await import('../daemon.ts');
  const daemon = await startDaemon({ config, catalog, version, log, onFreed: collector.freed });
  try {
    await orAbort(daemon.ready, signal);
    process.stdout.write(`assay ready on ${daemon.url} (scorer ${config.scorer}); Ctrl-C stops it\n`);
    if (!signal.aborted) await once(signal, 'abort');
    return codeOr(EXIT.ok);
  } catch (error) {
    if (signal.aborted) return codeOr(EXIT.ok);
    throw error;
  } finally {
    await daemon.close();
    collector.stop();
    release();
  }
}
