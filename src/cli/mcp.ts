/** `assay mcp`: tools for agents on the standard streams. Nothing but the protocol is written to the standard output. */
import { EXIT } from '../errors/exit.ts';
import { startCollector } from '../lib/collector.ts';
import { openRuntime, type Runtime } from '../runtime.ts';
import type { ScorerFlags } from './input/flags.ts';
import { allowedFolders } from './mcp/folders.ts';
import { Jobs, passedOn } from './mcp/jobs.ts';
import { Listings } from './mcp/listings.ts';
import { serveTools } from './mcp/server.ts';
import { TOOLS } from './mcp/tools.ts';
import { configOf, tellNotes } from './open.ts';
import { stopSignal } from './process/stop-signal.ts';

export interface McpFlags extends ScorerFlags {
  allow?: string[];
}

/**
 * Runs until the standard input closes, or a signal. Verdicts are recorded as those of any client, so that the agent finds
 * them in the history.
 *
 * @param args as they were given: searches get the same, but for the folders
 */
export async function mcp(flags: McpFlags, args: readonly string[]): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  const folders = allowedFolders(flags.allow ?? ['.']);
  const { signal, release } = stopSignal();
  const collector = startCollector();
  const jobs = new Jobs(passedOn(args));
  const listings = new Listings(folders);
  let runtime: Runtime | undefined;
  const opened = (): Runtime => {
    runtime ??= openRuntime({ config });
    return runtime;
  };
  try {
    await serveTools(TOOLS, { config, folders, listings, jobs, runtime: opened }, signal);
    return EXIT.ok;
  } finally {
    await Promise.all([jobs.close(), runtime?.close()]);
    collector.stop();
    release(true);
  }
}
