/** `assay serve`: runs the daemon until it is told to stop. */
import { once } from 'node:events';
import { startCollector } from '../collector.ts';
import { startDaemon } from '../daemon.ts';
import { EXIT } from '../errors.ts';
import type { ScorerFlags } from './flags.ts';
import { catalogOf, configOf } from './open.ts';
import { stopSignal } from './stop-signal.ts';
import { version } from './version.ts';

export interface ServeFlags extends ScorerFlags {
  host?: string;
  port?: number;
  token?: string;
  tokenFile?: string;
  logLevel?: string;
  /** Seconds. */
  keepAlive?: number;
}

/** Prints `assay ready on <url>` on stdout once requests are answered without waiting for the model. */
export async function serve(flags: ServeFlags): Promise<number> {
  const stopCollector = startCollector();
  const { signal, release } = stopSignal();
  const { keepAlive, ...rest } = flags;
  const config = configOf({ ...rest, ...(keepAlive !== undefined && { keepAliveMs: 1000 * keepAlive }) });
  const daemon = await startDaemon({ config, catalog: catalogOf(config), version });
  try {
    await daemon.ready;
    process.stdout.write(`assay ready on ${daemon.url} (scorer ${config.scorer}); Ctrl-C stops it\n`);
    if (!signal.aborted) await once(signal, 'abort');
    return EXIT.ok;
  } finally {
    await daemon.close();
    stopCollector();
    release();
  }
}
