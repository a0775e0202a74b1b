/** `assay serve`: runs the daemon until it is told to stop. */
import { startCollector } from '../collector.ts';
import { startDaemon } from '../daemon.ts';
import { EXIT } from '../errors.ts';
import type { ScorerFlags } from './flags.ts';
import { catalogOf, configOf } from './open.ts';
import { version } from './version.ts';

export interface ServeFlags extends ScorerFlags {
  host?: string;
  port?: number;
  token?: string;
  logLevel?: string;
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      if (asked) process.exit(EXIT.internal);
      asked = true;
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** Prints `assay ready on <url>` on stdout once requests are answered without waiting for the model. */
export async function serve(flags: ServeFlags): Promise<number> {
  const stopCollector = startCollector();
  const stopped = stopSignal();
  const config = configOf(flags);
  const daemon = await startDaemon({ config, catalog: catalogOf(config), version });
  try {
    await daemon.ready;
    process.stdout.write(`assay ready on ${daemon.url} (scorer ${config.scorer}); Ctrl-C stops it\n`);
    await stopped;
    return EXIT.ok;
  } finally {
    await daemon.close();
    stopCollector();
  }
}
