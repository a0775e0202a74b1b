/**
 * Watches a run of ours while the host has it: tells its steps and previews, sees whether it was cut short, and interrupts
 * one that nobody wants, but only while it is surely ours that runs.
 */
import { backoff, pause } from '../../../../lib/pause.ts';
import type { Log } from '../../../../log.ts';
import { gistOf } from '../../link/http.ts';
import type { Tuning } from '../../tuning.ts';
import type { Job } from './job.ts';
import { type Now, readNow } from './now.ts';
import { type Asked, askerOf, type Look } from './ours.ts';

export interface LookoutParts extends Asked {
  tuning: Tuning;
  log: Log | undefined;
  /** Told of every look. */
  onNow(now: Now): void;
}

/** What is this near to its end has no time to be interrupted in: the next job would be hit. */
const NEARLY_DONE = 0.97;
/** An interrupt is forgotten by a host whose job goes from one part to the next just then. */
const AGAIN_MS = 2000;
/** Between two looks at a host that does not answer them. */
const LONGEST_MS = 5000;

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
  const { http, tuning, log, onNow } = parts;
  const ask = askerOf(job, parts);
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
