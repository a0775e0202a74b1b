/**
 * Watches a run of ours while the host has it. The host's progress is that of whoever runs, so first of all: is it ours?
 * By its name, where the host tells the progress of a task; else by having begun after an idle host was given our
 * request, under a mark that was not there before. And a run that nobody wants is interrupted only while that is sure.
 */

import { backoff, pause } from '../../../../lib/pause.ts';
import type { Log } from '../../../../log.ts';
import { gistOf, type Http } from '../../link/http.ts';
import type { Tuning } from '../../tuning.ts';
import type { Fork } from './fork.ts';
import type { Job } from './job.ts';
import { type Now, readNow, readTask } from './now.ts';

export interface LookoutParts {
  http: Http;
  fork: Fork;
  /** What the host did just before it was given our request; null when it could not be asked. */
  before: Now | null;
  tuning: Tuning;
  log: Log | undefined;
  /** Told of every look. */
  onNow(now: Now): void;
}

/** What is this near to its end has no time to be interrupted in: the next job would be hit. */
const NEARLY_DONE = 0.97;
/** An interrupt that came too early is forgotten by the host when the job begins in earnest. */
const AGAIN_MS = 3000;
/** Between two looks at a host that does not answer them. */
const LONGEST_MS = 5000;

/** What is known of our run at one look. */
interface Look {
  isOurs: boolean;
  now: Now | null;
  share: number;
  preview: string | null;
}

const NOTHING: Look = { isOurs: false, now: null, share: 0, preview: null };

/** Asks by the name of the run. */
function byName(job: Job, { http }: LookoutParts) {
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

/** Asks what runs, and takes it for ours only where it can be nobody else's. */
function byMark(job: Job, { http, before }: LookoutParts) {
  let shown: string | null = null;
  return async (signal: AbortSignal): Promise<Look> => {
    const now = await readNow(http, signal, true);
    if (before?.isIdle && !now.isIdle && now.mark !== before.mark) job.mark ??= now.mark;
    if (now.isIdle || job.mark !== now.mark) return { ...NOTHING, now };
    const isNew = now.preview !== null && now.preview !== shown;
    if (isNew) shown = now.preview;
    return { isOurs: true, now, share: now.share, preview: isNew ? now.preview : null };
  };
}

const bytesOf = (preview: string): Uint8Array =>
  Buffer.from(preview.slice(preview.indexOf(',') + 1), 'base64');

/** Tells what happens, as far as it was not told. */
function teller(job: Job) {
  const { id, request } = job;
  const node = request.route;
  let [hasStarted, told] = [false, ''];
  const start = (): void => {
    if (hasStarted) return;
    hasStarted = true;
    job.push({ kind: 'started', id });
    job.push({ kind: 'node', id, node });
  };
  return {
    start,
    look({ now, preview }: Look) {
      start();
      if (now && now.steps > 0 && now.step > 0 && told !== `${now.stage} ${now.step}`) {
        told = `${now.stage} ${now.step}`;
        job.push({ kind: 'progress', id, node, value: Math.min(now.step, now.steps), max: now.steps });
      }
      if (preview !== null) job.push({ kind: 'preview', id, node, bytes: bytesOf(preview) });
    },
  };
}

/** Whether what ran until now under our mark was ended early: the host says so until the next job begins. */
async function wasCut({ mark }: Job, { http, onNow }: LookoutParts, signal: AbortSignal): Promise<boolean> {
  const now = await readNow(http, signal, false);
  onNow(now);
  return mark !== null && now.mark === mark && now.isCut;
}

export interface Lookout {
  /** Ends with the signal. Never throws. */
  watch(signal: AbortSignal): Promise<void>;
  /** Told when the host has answered: what was not seen is made up for. */
  close(signal: AbortSignal): Promise<void>;
  /** Interrupts it if it still runs. Never throws. */
  giveUp(signal: AbortSignal): Promise<void>;
}

export function createLookout(job: Job, parts: LookoutParts): Lookout {
  const { http, fork, tuning, log, onNow } = parts;
  const ask = (fork.hasTasks ? byName : byMark)(job, parts);
  const tell = teller(job);
  let interruptedAt = Number.NEGATIVE_INFINITY;

  async function interrupt(signal: AbortSignal): Promise<void> {
    interruptedAt = performance.now();
    const reply = await http.post('/sdapi/v1/interrupt', {}, signal);
    if (reply.status >= 300)
      log?.warn({ event: 'host.interrupt', status: reply.status, reason: gistOf(reply) }, 'not interrupted');
  }

  async function lookOnce(signal: AbortSignal): Promise<void> {
    const look = await ask(signal);
    if (look.now) onNow(look.now);
    if (!look.isOurs) return;
    job.isTaken();
    job.isCut ||= look.now?.isCut ?? false;
    tell.look(look);
    const mayInterrupt = look.share < NEARLY_DONE && performance.now() - interruptedAt > AGAIN_MS;
    if (job.isCancelled && mayInterrupt) await interrupt(signal);
  }

  job.look = (signal) => lookOnce(signal).catch(() => {});

  return {
    async watch(signal) {
      for (let failures = 0; !signal.aborted; ) {
        failures = await lookOnce(signal).then(
          () => 0,
          () => failures + 1,
        );
        const most = failures > 0 ? LONGEST_MS : tuning.progressMs;
        await pause(failures > 0 ? backoff(tuning.progressMs, failures, most) : most, signal).catch(() => {});
      }
    },
    async giveUp(signal) {
      job.isCancelled = true;
      await job.look?.(signal);
    },
    async close(signal) {
      tell.start();
      // A host that is gone again has answered all the same.
      if (!job.isCut) job.isCut = await wasCut(job, parts, signal).catch(() => false);
    },
  };
}
