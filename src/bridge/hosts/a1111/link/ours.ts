/**
 * Whose job runs? The host's progress is that of whoever runs, so a run is taken for ours by its name, where the host
 * tells the progress of a task. Else by having begun after an idle host was given our request: as the first job that
 * SD.Next wrote down since, or under a mark that was not there before.
 */
import type { Http } from '../../link/http.ts';
import { EVENTS, firstSince, hasEnded, isAnyOpen, type JobEvents, readEvents } from './events.ts';
import type { Fork } from './fork.ts';
import type { Job } from './job.ts';
import { type Now, readNow, readTask } from './now.ts';

/** What the host did just before it was given our request. */
export interface Before {
  isIdle: boolean;
  mark: string | null;
  /** What SD.Next had written down; empty for others. */
  events: JobEvents;
}

/** A host that cannot be asked counts as busy. */
export async function lookBefore(http: Http, fork: Fork, signal: AbortSignal): Promise<Before> {
  try {
    const events = fork.routes?.has(EVENTS) ? await readEvents(http, signal) : [];
    const { isIdle, mark } = await readNow(http, signal, false);
    return { isIdle: isIdle && !isAnyOpen(events), mark, events };
  } catch {
    signal.throwIfAborted();
    return { isIdle: false, mark: null, events: [] };
  }
}

export interface Asked {
  http: Http;
  fork: Fork;
  before: Before;
}

/** What is known of our run at one look. */
export interface Look {
  isOurs: boolean;
  now: Now | null;
  share: number;
  preview: string | null;
}

const NOTHING: Look = { isOurs: false, now: null, share: 0, preview: null };

/** Asks by the name of the run. */
function byName(job: Job, { http }: Asked) {
  let previewNumber = -1;
  return async (signal: AbortSignal): Promise<Look> => {
    const task = await readTask(http, job.id, previewNumber, signal);
    if (task.isActive || task.isQueued) job.isTaken();
    if (!task.isActive) return NOTHING;
    if (task.preview !== null) previewNumber = task.previewNumber;
    const now = await readNow(http, signal, false);
    job.mark = now.mark;
    return { isOurs: true, now, share: task.share ?? now.share, preview: task.preview };
  };
}

/** The preview, unless it is the one that was there before. */
function newPreviews() {
  let shown: string | null = null;
  return ({ preview }: Now): string | null => {
    if (preview === null || preview === shown) return null;
    shown = preview;
    return preview;
  };
}

/** Asks what runs, and takes it for ours only where it can be nobody else's. */
function byMark(job: Job, { http, before }: Asked) {
  const previewOf = newPreviews();
  return async (signal: AbortSignal): Promise<Look> => {
    const now = await readNow(http, signal, true);
    if (before.isIdle && !now.isIdle && now.mark !== before.mark) job.mark ??= now.mark;
    if (now.isIdle || job.mark !== now.mark) return { ...NOTHING, now };
    return { isOurs: true, now, share: now.share, preview: previewOf(now) };
  };
}

/** Asks what was written down since, and whether it has ended. */
function byEvents(job: Job, { http, before }: Asked) {
  const previewOf = newPreviews();

  async function isOurs(signal: AbortSignal): Promise<boolean> {
    if (!before.isIdle) return false;
    job.mark ??= firstSince(before.events, await readEvents(http, signal)) ?? null;
    return job.mark !== null && !hasEnded(await readEvents(http, signal, job.mark));
  }

  return async (signal: AbortSignal): Promise<Look> => {
    if (!(await isOurs(signal))) return { ...NOTHING, now: await readNow(http, signal, false) };
    const now = await readNow(http, signal, true);
    return { isOurs: true, now, share: now.share, preview: previewOf(now) };
  };
}

/** Looks once. @throws errors of the link */
export function askerOf(job: Job, parts: Asked): (signal: AbortSignal) => Promise<Look> {
  if (parts.fork.hasTasks) return byName(job, parts);
  return parts.fork.routes?.has(EVENTS) ? byEvents(job, parts) : byMark(job, parts);
}
