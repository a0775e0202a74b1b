/** `assay serve`: runs the daemon until it is told to stop. */
import { once } from 'node:events';
import { orAbort } from '../abort.ts';
import { startCollector } from '../collector.ts';
import { type Daemon, startDaemon } from '../daemon.ts';
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

/** Whether the daemon became ready before it was told to stop. */
async function becameReady({ ready }: Daemon, signal: AbortSignal): Promise<boolean> {
  try {
    await orAbort(ready, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** Prints `assay ready on <url>` on stdout once requests are answered without waiting for the model. */
export async function serve(flags: ServeFlags): Promise<number> {
  const { signal, release } = stopSignal();
  const stopCollector = startCollector();
  const { keepAlive, ...rest } = flags;
  const config = configOf({ ...rest, ...(keepAlive !== undefined && { keepAliveMs: 1000 * keepAlive }) });
  const daemon = await startDaemon({ config, catalog: catalogOf(config), version });
  try {
    if (await becameReady(daemon, signal)) {
      process.stdout.write(`assay ready on ${daemon.url} (scorer ${config.scorer}); Ctrl-C stops it\n`);
      if (!signal.aborted) await once(signal, 'abort');
    }
    return EXIT.ok;
  } finally {
    await daemon.close();
    stopCollector();
    release();
  }
}
