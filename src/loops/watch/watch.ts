/**
 * Scores every image of every client of a host. The host's history is the truth: each look at it finds what is new,
 * and the ledger knows what was done, so the process may end anywhere and begin again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AssayError, fail, toAssayError } from '../../errors.ts';
import type { HostRun } from '../../host.ts';
import { act } from './actions.ts';
import { handleImage, type Watch } from './image.ts';
import { createLanes, type ImageJob, jobsOf, keyOf, type Lanes } from './jobs.ts';
import { PACE, type WatchedImage, type WatchParts } from './ports.ts';
import { persist } from './retry.ts';

/** Images in work at once: what is in memory, whatever the size of a run. */
const WIDTH = 4;
/** Runs of the first look at the history; further looks take twice as many each. */
const FIRST_PAGE = 8;
/** Most runs that are remembered as seen; of an older one the ledger knows. */
const REMEMBERED = 20_000;
/** Pending actions that are read at a time. */
const PENDING_PAGE = 100;
/** A file that was changed since may still be in the writing. */
const WRITING_MS = 2000;
/** A run that makes files for longer has them scored without its prompt. */
const LONG_RUN_MS = 300_000;
/** Looks at a folder whose files are in the writing, before `once` ends without them. */
const LOOKS = 30;

interface Memory {
  /** Runs whose images were all taken up. */
  seen: Set<string>;
  lanes: Lanes;
  /** Unix milliseconds: older files of the folder are none of ours. */
  since: number;
  folderDue: boolean;
  /** When pending actions are tried again, in milliseconds of performance.now(); null: there are none. */
  actionsAt: number | null;
  /** What ended the watch. */
  fatal: AssayError | null;
}

type Context = Watch & { memory: Memory; end(error: AssayError): void };

/** Two runs of one id are told apart by their end. */
const runKey = (run: HostRun): string => `${run.id} ${run.endedAt}`;

function remember({ seen }: Memory, run: HostRun): void {
  seen.add(runKey(run));
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
}

const unseen = ({ seen }: Memory, runs: HostRun[]) => runs.filter((run) => !seen.has(runKey(run)));

/** The newest runs, as many as it takes to meet one that was seen; all of them when there is none. */
async function newRuns({ host, stop, memory }: Context): Promise<HostRun[]> {
  for (let [size, met] = [FIRST_PAGE, memory.seen.size === 0]; !met; size *= 2) {
    const page = await host.runs(stop, size);
    const fresh = unseen(memory, page);
    if (fresh.length < page.length) return fresh;
    // Fewer than asked for: that was the whole, but for what could not be read.
    met = page.length < size;
  }
  const all = await host.runs(stop);
  const fresh = unseen(memory, all);
  if (fresh.length === all.length && memory.seen.size > 0) {
    // The history has begun anew, and what it lost may lie in the folder.
    memory.folderDue = true;
    memory.seen.clear();
  }
  return fresh;
}

/** Runs one job to its end. What goes wrong with one image does not touch the others. */
async function safely(context: Context, work: () => Promise<void>): Promise<void> {
  const { stop, hard, onTrouble, end } = context;
  try {
    await work();
  } catch (thrown) {
    if (stop.aborted || hard.aborted) return;
    const error = toAssayError(thrown);
    // A setup that does not score any image, or a host that is not waited for.
    if (error.kind === 'setup' || (context.once && error.code === 'HOST_UNREACHABLE')) end(error);
    else onTrouble(error);
  }
}

async function finishAction(context: Context, image: WatchedImage): Promise<void> {
  const { files, memory, pace, onTrouble, onImage } = context;
  if (!files) return;
  const { output, trouble } = await act({ ...context, files }, image).catch((error: AssayError) => ({
    output: { ...image.output, reason: error.message },
    trouble: error,
  }));
  if (trouble) {
    memory.actionsAt ??= performance.now() + pace.actionRetryMs;
    onTrouble(trouble);
  }
  onImage({ ...image, output });
}

async function takeUp(context: Context, job: ImageJob): Promise<void> {
  const scored = await handleImage(context, job);
  if (!scored) return;
  if (scored.output.state === 'pending') await finishAction(context, scored);
  else context.onImage(scored);
}

function addImage(context: Context, job: ImageJob): void {
  const { lanes } = context.memory;
  const key = keyOf(job.file);
  // A name given anew counts; a mere repetition of a name that waits does not.
  if (job.image?.replayed && lanes.has(key)) return;
  lanes.add(key, () => safely(context, () => takeUp(context, job)));
}

/** Takes up what the history tells anew. */
async function readHistory(context: Context): Promise<void> {
  for (const run of await newRuns(context)) {
    for (const job of jobsOf(run, context.outputsOnly)) addImage(context, job);
    remember(context.memory, run);
  }
}

/**
 * Files changed later, in Unix milliseconds, may be in the writing, or belong to a run that goes on: its history will
 * tell of them, and of the prompt.
 */
async function settledAt({ host, stop, once }: Context): Promise<number> {
  const isBusy = !once && (await host.queued(stop)).length > 0;
  return Date.now() - (isBusy ? LONG_RUN_MS : WRITING_MS);
}

/** Takes up what lies in the folder and no history tells of any more. */
async function readFolder(context: Context): Promise<void> {
  const { files, memory } = context;
  if (!files || !memory.folderDue) return;
  const { found, young } = await files.folder.scan(memory.since, await settledAt(context));
  for (const { mtimeMs, ...file } of found) {
    const job: ImageJob = { file, image: null, promptId: null, mtimeMs };
    if (!memory.lanes.has(keyOf(file))) addImage(context, job);
  }
  memory.folderDue = young;
}

/** Does the actions that an earlier process, or an earlier try, left undone. */
async function readPending(context: Context): Promise<void> {
  const { files, memory, ledger } = context;
  if (!files || memory.actionsAt === null || performance.now() < memory.actionsAt) return;
  memory.actionsAt = null;
  for (let after = 0, full = true; full; ) {
    const page = ledger.pending(after, PENDING_PAGE);
    for (const image of page) {
      const key = keyOf(image.output);
      // An image in work does its action itself.
      if (!memory.lanes.has(key))
        memory.lanes.add(key, () => safely(context, () => finishAction(context, image)));
    }
    after = page.at(-1)?.output.id ?? after;
    full = page.length === PENDING_PAGE;
    // Before the history is read: a newer image of that name would take the place of the action.
    await memory.lanes.idle();
  }
}

/** One look at everything. A host or folder that is away now is looked at again. */
async function look(context: Context): Promise<void> {
  for (const part of [readPending, readHistory, readFolder])
    try {
      await part(context);
    } catch (thrown) {
      context.stop.throwIfAborted();
      const error = toAssayError(thrown);
      if (error.kind === 'internal' || context.once) throw error;
      if (part === readPending) context.memory.actionsAt = performance.now() + context.pace.actionRetryMs;
      context.onTrouble(error);
    }
}

/** What the host holds now, and no more. */
async function lookOnce(context: Context): Promise<void> {
  const { memory, pace, stop } = context;
  await look(context);
  await memory.lanes.idle();
  for (let looks = 1; context.files && memory.folderDue && looks < LOOKS; looks++) {
    await sleep(pace.retryMs, undefined, { signal: stop });
    await readFolder(context);
    await memory.lanes.idle();
  }
}

async function follow(context: Context): Promise<void> {
  const { host, memory, pace, stop } = context;
  await look(context);
  for await (const change of host.changes(pace.pollMs, stop)) {
    // Where there is a history, it tells itself whether it has begun anew.
    if (change === 'back' && memory.seen.size === 0) memory.folderDue = true;
    await look(context);
  }
}

/** Waits for what is in work, within bounds. */
async function drain({ memory, pace }: Context, giveUp: AbortController): Promise<void> {
  memory.lanes.stop();
  const timer = setTimeout(() => giveUp.abort(fail('CANCELLED', {})), pace.drainMs);
  try {
    await memory.lanes.idle();
  } finally {
    clearTimeout(timer);
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
  const again = ({ code }: AssayError, failures: number) => code === 'STORE_UNAVAILABLE' && failures < 5;
  const since = await persist(() => parts.ledger.begin(), { pauseMs: pace.retryMs / 4, signal, again });
  const lanes = createLanes(WIDTH);
  const memory: Memory = { seen: new Set(), lanes, since, folderDue: true, actionsAt: 0, fatal: null };
  const end = (error: AssayError) => {
    memory.fatal ??= error;
    ending.abort(error);
  };
  const context: Context = { ...parts, pace, stop, hard: giveUp.signal, memory, end };
  try {
    await (parts.once ? lookOnce : follow)(context);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await drain(context, giveUp);
  }
  if (memory.fatal) throw memory.fatal;
}
