/** `assay serve`: runs the daemon until it is told to stop. */
import { setFlagsFromString } from 'node:v8';
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

/**
 * Received images are memory outside the JavaScript heap. By default every few of them start a full collection of a
 * heap that holds next to nothing (15 a second under load); counted together with the heap they start few.
 */
function countBuffersWithHeap(): void {
  const [major] = process.versions.v8.split('.');
  if (Number(major) >= 13) setFlagsFromString('--external-memory-accounted-in-global-limit');
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
  countBuffersWithHeap();
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
  }
}
