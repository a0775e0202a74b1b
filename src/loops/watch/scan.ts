/** One look at a host: what its history tells anew, what lies in its folder, what is still to be done. */
import { type AssayError, toAssayError } from '../../errors/error.ts';
import type { HostRun, LeftFile } from '../../host.ts';
import { act } from './actions.ts';
import { handleImage, type Watch } from './image.ts';
import { type ImageJob, jobsOf, keyOf, type Lanes, nameOf, tidy } from './jobs.ts';
import type { WatchedImage } from './ports.ts';

/** Runs of the first look at the history; further looks take twice as many each. */
const FIRST_PAGE = 8;
/** Most runs, and files left alone, that are remembered as seen; of an older one the ledger knows. */
const REMEMBERED = 20_000;
/** Pending actions that are read at a time. */
const PENDING_PAGE = 100;
/** A file that was changed since may still be in the writing. */
const WRITING_MS = 2000;
/** By how much clocks of file systems may differ from ours. */
const CLOCKS_MS = 60_000;
/** Looks into a folder may take one part of so many of the time. */
const SCAN_SHARE = 10;
/** A run that makes files for longer has them scored without its prompt. */
const LONG_RUN_MS = 300_000;

/** What one process knows beyond the ledger. */
export interface Memory {
  /** Runs whose images were all taken up. */
  seen: Set<string>;
  /** Files of the folder that are left alone, as they were when that was told. */
  left: Set<string>;
  lanes: Lanes;
  /** Unix milliseconds: older files of the folder are none of ours. */
  since: number;
  folder: FolderState;
  /** When pending actions are tried again, in milliseconds of performance.now(); null: there are none. */
  actionsAt: number | null;
}

/** When the output folder is looked into, for files that no history tells of. */
interface FolderState {
  due: boolean;
  /** Not before, and at the latest then, in milliseconds of performance.now(). */
  notBefore: number;
  dueAt: number;
  /** Unix milliseconds: what was touched earlier was taken up. */
  from: number;
  /** Whether something waited or ran before the history was read last. */
  isBusy: boolean;
  /** Unix milliseconds of the end of the newest run that was read: older files are of runs that are known. */
  knownUntil: number;
}

export const newFolderState = (): FolderState => ({
  ...{ due: true, notBefore: 0, dueAt: 0, from: 0, isBusy: false, knownUntil: 0 },
});

export type Context = Watch & {
  memory: Memory;
  /** Ends the watch with that error. */
  end(error: AssayError): void;
};

/** Two runs of one id are told apart by their end. */
const runKey = (run: HostRun): string => `${run.id} ${run.endedAt}`;

function remember(seen: Set<string>, key: string): void {
  seen.add(key);
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
}

const unseen = ({ seen }: Memory, runs: HostRun[]) => runs.filter((run) => !seen.has(runKey(run)));

/** The newest runs, as many as it takes to meet one that was seen; all of them when there is none. */
async function newRuns({ host, stop, memory }: Context): Promise<HostRun[]> {
  let isWhole = memory.seen.size === 0;
  for (let size = FIRST_PAGE; !isWhole; size *= 2) {
    const page = await host.runs(stop, size);
    const fresh = unseen(memory, page);
    if (fresh.length < page.length) return fresh;
    // Fewer than asked for: that was the whole, or some could not be read.
    isWhole = page.length < size;
  }
  const all = await host.runs(stop);
  const fresh = unseen(memory, all);
  if (fresh.length === all.length && memory.seen.size > 0) {
    // The history has begun anew, and what it lost may lie in the folder.
    lookAgain(memory);
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
  const { output, trouble } = await act({ ...context, files }, image).catch((thrown) => {
    const error = toAssayError(thrown);
    return { output: { ...image.output, reason: error.message }, trouble: error };
  });
  if (trouble) {
    memory.actionsAt ??= performance.now() + pace.actionRetryMs;
    onTrouble(trouble);
  }
  onImage({ ...image, output });
}

async function takeUp(context: Context, job: ImageJob): Promise<void> {
  const scored = await handleImage(context, job).catch((thrown) => {
    const error = toAssayError(thrown);
    if (error.code !== 'OUTPUT_DIR_UNUSABLE') throw error;
    lookAgain(context.memory);
    context.onTrouble(error);
    return null;
  });
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

/** Takes an image up, or notes why not. */
function decide(context: Context, job: ImageJob): void {
  const { file, image, promptId } = job;
  const reason = context.leaves(file, image);
  if (reason === null) addImage(context, job);
  else
    leave(context, { file, name: nameOf(file), node: image?.node ?? null, reason }, image ? promptId : null);
}

/** The folder does not tell why a file was left alone: the next look into it shall find a note. */
function leave(
  { ledger, onLeft }: Context,
  { file, name, node, reason }: Omit<LeftFile, 'node'> & { node: string | null },
  promptId: string | null,
): void {
  if (promptId !== null) ledger.leave(tidy(file), { promptId, node, at: Date.now() }, reason);
  onLeft(name, reason);
}

/** Looks into the folder overlap, and a file that is left alone is told of once. */
function leaveOnce(context: Context, { file, mtimeMs }: ImageJob, reason: string): void {
  const key = `${keyOf(file)} ${mtimeMs}`;
  if (context.memory.left.has(key)) return;
  remember(context.memory.left, key);
  leave(context, { file, name: nameOf(file), node: null, reason }, null);
}

/** Takes up what the history tells anew. */
async function readHistory(context: Context): Promise<void> {
  const { host, stop, memory, files, once } = context;
  if (host.truth === 'folder') return;
  // Before the history is read: what ended by then is in it.
  if (files && performance.now() >= memory.folder.notBefore)
    memory.folder.isBusy = !once && (await host.queued(stop)).length > 0;
  for (const run of await newRuns(context)) {
    for (const job of jobsOf(run, context.outputsOnly)) decide(context, job);
    for (const left of run.left) leave(context, left, run.id);
    remember(memory.seen, runKey(run));
    memory.folder.due = true;
    memory.folder.knownUntil = Math.max(memory.folder.knownUntil, run.endedAt ?? 0);
  }
}

const isDue = ({ due, dueAt, notBefore }: FolderState): boolean =>
  performance.now() >= notBefore && (due || performance.now() >= dueAt);

/** The whole folder, at the next look. */
export function lookAgain({ folder }: Memory): void {
  Object.assign(folder, { due: true, notBefore: 0, from: 0 });
}

/** What is new in the folder, as soon as it may be looked into. */
export function lookSoon({ folder }: Memory): void {
  folder.due = true;
}

/**
 * Files changed later, in Unix milliseconds, may be in the writing, or belong to a run that goes on: its history will
 * tell of them, and of the prompt.
 */
function settledAt({ isBusy, knownUntil }: FolderState): number {
  const now = Date.now();
  return isBusy ? Math.max(now - LONG_RUN_MS, Math.min(knownUntil, now - WRITING_MS)) : now - WRITING_MS;
}

/** Takes up what lies in the folder and no history tells of. */
export async function readFolder(context: Context): Promise<void> {
  const { files, memory, pace } = context;
  const { folder } = memory;
  if (!files || !isDue(folder)) return;
  const [begin, until] = [performance.now(), settledAt(folder)];
  const { found, young } = await files.folder.scan(memory.since, until, folder.from);
  for (const { mtimeMs, moving, ...file } of found) {
    const job: ImageJob = { file, image: null, promptId: null, endedAt: null, mtimeMs };
    if (memory.lanes.has(keyOf(file))) continue;
    const reason = moving ?? context.leaves(file, null);
    if (reason === null) addImage(context, job);
    else leaveOnce(context, job, reason);
  }
  const now = performance.now();
  Object.assign(folder, {
    due: young,
    notBefore: now + Math.max(pace.folderGapMs, SCAN_SHARE * (now - begin)),
    dueAt: now + pace.folderMs,
    from: Math.max(folder.from, until - CLOCKS_MS),
  });
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
export async function look(context: Context): Promise<void> {
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
