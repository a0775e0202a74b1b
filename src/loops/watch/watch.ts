/**
 * Scores every image of every client of a host. The host's history is the truth, or its output folder where it keeps
 * none: each look at it finds what is new, and the ledger knows what was done, so the process may end anywhere and begin
 * again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AssayError, fail } from '../../errors/error.ts';
import { createLanes } from './jobs.ts';
import { PACE, type WatchParts } from './ports.ts';
import { persist } from './retry.ts';
import { type Context, look, lookAgain, lookSoon, type Memory, newFolderState, readFolder } from './scan.ts';

/** Images in work at once: what is in memory, whatever the size of a run. */
const WIDTH = 4;
/** Looks at a folder whose files are in the writing, before `once` ends without them. */
const LOOKS = 30;
/** Tries of the history at the start: a lock may pass, all else is for the user to mend. */
const TRIES_AT_START = 5;

/** What the host holds now, and no more. */
async function lookOnce(context: Context): Promise<void> {
  const { memory, pace, stop } = context;
  await look(context);
  await memory.lanes.idle();
  for (let looks = 1; context.files && memory.folder.due && looks < LOOKS; looks++) {
    await sleep(pace.retryMs, undefined, { signal: stop });
    memory.folder.notBefore = 0;
    await readFolder(context);
    await memory.lanes.idle();
  }
}

async function follow(context: Context): Promise<void> {
  const { host, memory, pace, stop } = context;
  await look(context);
  for await (const change of host.changes(pace.pollMs, stop)) {
    // Where there is a history, it tells itself whether it has begun anew.
    if (change === 'back' && memory.seen.size === 0) lookAgain(memory);
    if (change === 'changed' && host.truth === 'folder') lookSoon(memory);
    await look(context);
  }
}

/**
 * Watches until the signal aborts, or with `once` until all that the host holds is done. Images in work are finished.
 *
 * @throws STORE_UNAVAILABLE when the history cannot be used at the start; HOST_UNREACHABLE with `once`; errors of the
 * setup that let no image be scored
 */
export async function watch(parts: WatchParts, signal: AbortSignal): Promise<void> {
  const pace = { ...PACE, ...parts.pace };
  const [ending, giveUp] = [new AbortController(), new AbortController()];
  const stop = AbortSignal.any([signal, ending.signal]);
  const again = ({ code }: AssayError, failures: number) =>
    code === 'STORE_UNAVAILABLE' && failures < TRIES_AT_START;
  const begun = await persist(() => parts.ledger.begin(), { pauseMs: pace.retryMs / 4, signal, again });
  // All that such a host holds now is what lies there.
  const since = parts.once && parts.host.truth === 'folder' ? 0 : begun;
  const lanes = createLanes(WIDTH);
  const memory: Memory = {
    ...{ seen: new Set(), left: new Set(), lanes, since },
    ...{ folder: newFolderState(), actionsAt: 0 },
  };
  let fatal: AssayError | undefined;
  const end = (error: AssayError) => {
    fatal ??= error;
    ending.abort(error);
  };
  let timer: NodeJS.Timeout | undefined;
  const onStop = () => {
    lanes.stop();
    timer = setTimeout(() => giveUp.abort(fail('CANCELLED', {})), pace.drainMs);
  };
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const context: Context = { ...parts, pace, stop, hard: giveUp.signal, memory, end };
    await (parts.once ? lookOnce : follow)(context);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    ending.abort();
    await lanes.idle();
    clearTimeout(timer);
  }
  if (fatal) throw fatal;
}
