/** A search on a host, from the first question to the host to the last file that is closed. */
import type { Config } from '../../config.ts';
import { EXIT } from '../../errors/exit.ts';
import type { Host, HostInfo, Template } from '../../host.ts';
import { startCollector } from '../../lib/collector.ts';
import { findInMade } from '../../prompt/made.ts';
import { openRuntime, type Runtime } from '../../runtime.ts';
import { stopSignal } from '../process/stop-signal.ts';
import type { Target } from './start.ts';

/** A folder that no other process runs. */
export interface Held<Folder> {
  folder: Folder;
  hold: { release(): void };
}

/** A search that is begun or gone on with; a new one's folder is made only once the host answers. */
export interface Start<Folder> {
  target: Target;
  template: Template;
  /** The one that it was begun with, where it is gone on with. */
  scorer?: string;
  open(runtime: Runtime, info: HostInfo, signal: AbortSignal): Promise<Held<Folder>>;
}

export interface Session<Folder> {
  runtime: Runtime;
  host: Host;
  folder: Folder;
  signal: AbortSignal;
}

/** @returns the exit code: what `act` returns; 130 when Ctrl-C stopped it */
export async function onHost<Folder extends { close(): void }>(
  config: Config,
  { target, scorer, open }: Start<Folder>,
  act: (session: Session<Folder>) => Promise<number>,
): Promise<number> {
  const { kind, settings } = target;
  const host = await kind.create({ settings, limits: config.limits, findPrompt: findInMade });
  const { signal, release } = stopSignal();
  const collector = startCollector();
  const runtime = openRuntime({ config: scorer === undefined ? config : { ...config, scorer } });
  let opened: Held<Folder> | undefined;
  try {
    const info = await host.describe(signal);
    for (const note of info.notes) process.stderr.write(`assay: ${info.kind}: ${note}\n`);
    for (const note of (await runtime.catalog.open()).notes) process.stderr.write(`${note}\n`);
    opened = await open(runtime, info, signal);
    return await act({ runtime, host, folder: opened.folder, signal });
  } catch (error) {
    if (signal.aborted) return EXIT.stopped;
    throw error;
  } finally {
    opened?.folder.close();
    opened?.hold.release();
    await Promise.all([host.close(), runtime.close()]);
    collector.stop();
    release(true);
  }
}
