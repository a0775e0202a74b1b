/**
 * Runs of ours, one after another. A host of this family takes a request and holds the connection until its turn comes
 * and goes; what it holds cannot be taken back. So it is given one at a time, and the others wait here.
 */
import { AssayError, fail } from '../../../../errors/error.ts';
import type { HostRun, RunImage } from '../../../../host.ts';
import { backoff, pause } from '../../../../lib/pause.ts';
import type { Log } from '../../../../log.ts';
import type { FindPrompt } from '../../kind.ts';
import type { Address } from '../../link/address.ts';
import { type Http, parseReply, type Reply } from '../../link/http.ts';
import type { Tuning } from '../../tuning.ts';
import { answerSchema, readAnswer } from './answer.ts';
import type { Fork } from './fork.ts';
import type { Job } from './job.ts';
import { NoAnswer, postLong } from './long.ts';
import { createLookout } from './lookout.ts';
import type { Now } from './now.ts';
import { lookBefore } from './ours.ts';
import { faultOf, refusalOf } from './refusal.ts';
import type { Shelf } from './shelf.ts';

export interface RunnerParts {
  http: Http;
  address: Address;
  fork(signal: AbortSignal): Promise<Fork>;
  shelf: Shelf;
  find: FindPrompt | undefined;
  maxBytes: number;
  tuning: Tuning;
  log: Log | undefined;
  onNow(now: Now): void;
  /** Told when a run was lost: the host may have been started in another way since. */
  onLost(): void;
}

const TOO_MANY = 429;

/** Fields that are ours: the pictures must come, and the run gets its name. */
function bodyOf({ id, request }: Job, { hasTasks, name }: Fork): object {
  const { override_settings = {} } = request.body as { override_settings?: object };
  // Else a preview comes every tenth step.
  const previews = name === 'SD.Next' ? {} : { show_progress_every_n_steps: 1 };
  return {
    ...request.body,
    ...{ send_images: true, override_settings: { ...previews, ...override_settings } },
    ...(hasTasks && { force_task_id: id }),
  };
}

export class Runner {
  readonly #parts: RunnerParts;
  readonly #waiting: Job[] = [];
  readonly #ending = new AbortController();
  #running: Job | undefined;
  #work: Promise<void> | undefined;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Ids of ours that the host has, or that wait here. */
  get ids(): string[] {
    return [...(this.#running ? [this.#running.id] : []), ...this.#waiting.map(({ id }) => id)];
  }

  add(job: Job): void {
    this.#waiting.push(job);
    this.#work ??= this.#runAll();
  }

  /** @returns whether it waits or runs; of one that runs, once it is interrupted, where it may be now */
  async cancel(job: Job, signal: AbortSignal): Promise<boolean> {
    if (job.state === 'over') return false;
    job.isCancelled = true;
    const at = this.#waiting.indexOf(job);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      job.end({ error: this.#lost(job) });
    }
    await job.look?.(signal);
    return true;
  }

  async close(): Promise<void> {
    this.#ending.abort(fail('CANCELLED', {}));
    for (const job of this.#waiting.splice(0)) job.end({ error: this.#lost(job) });
    await this.#work;
  }

  #lost({ id }: Job): AssayError {
    return fail('PROMPT_LOST', { id, url: this.#parts.http.url });
  }

  async #runAll(): Promise<void> {
    for (let job = this.#waiting.shift(); job; job = this.#waiting.shift()) {
      this.#running = job;
      await this.#run(job).catch((error) => job!.end({ error }));
      this.#running = undefined;
    }
    this.#work = undefined;
  }

  async #run(job: Job): Promise<void> {
    const { http, fork: find, tuning, log, onNow, onLost } = this.#parts;
    const { signal } = this.#ending;
    job.state = 'sent';
    const fork = await find(signal);
    const before = await lookBefore(http, fork, signal);
    if (job.isCancelled) throw this.#lost(job);
    const lookout = createLookout(job, { http, fork, before, tuning, log, onNow });
    const over = new AbortController();
    const watching = lookout.watch(AbortSignal.any([signal, over.signal]));
    try {
      const reply = await this.#post(job, fork, signal);
      over.abort();
      await watching;
      if (reply.status === 200) await lookout.close(signal);
      job.end(this.#outcomeOf(job, reply));
    } catch (error) {
      over.abort();
      await watching;
      // Nobody will get its pictures: the host is spared the rest, if it still works on it.
      if (error instanceof AssayError && error.code === 'PROMPT_LOST') await lookout.giveUp(signal);
      onLost();
      throw error;
    } finally {
      job.look = undefined;
    }
  }

  /** Waits while the host has had too many requests: it has begun nothing then. */
  async #post(job: Job, fork: Fork, signal: AbortSignal): Promise<Reply> {
    const { address, maxBytes, tuning } = this.#parts;
    const path = `/sdapi/v1/${job.request.route}`;
    const end = performance.now() + tuning.patienceMs;
    for (let tries = 0; ; tries++) {
      const reply = await postLong(address, path, bodyOf(job, fork), maxBytes, signal).catch((cause) => {
        throw this.#brokenOf(job, cause);
      });
      const pauseMs = reply.retryAfterMs ?? backoff(1000, tries, tuning.patienceMs);
      if (reply.status !== TOO_MANY || performance.now() + pauseMs > end) return reply;
      if (job.isCancelled) throw this.#lost(job);
      await pause(pauseMs, signal);
    }
  }

  /** A connection that was never made; one that broke with a run behind it, whose pictures nobody will hand out again. */
  #brokenOf(job: Job, cause: unknown): unknown {
    const { url } = this.#parts.http;
    if (!(cause instanceof NoAnswer)) return cause;
    if (cause.mayBeTaken) return fail('PROMPT_LOST', { id: job.id, url }, { cause });
    return fail('HOST_UNREACHABLE', { url, reason: cause.message }, { cause });
  }

  #outcomeOf(job: Job, reply: Reply): { run: HostRun } {
    const { http } = this.#parts;
    const refusal = refusalOf(http, job.request, reply);
    if (refusal) throw refusal;
    const fault = faultOf(reply);
    if (fault !== null && !job.isCut && !job.isCancelled) return this.#ended(job, 'error', [], fault);
    if (fault !== null) return this.#ended(job, 'interrupted', []);
    const read = readAnswer(
      parseReply(http, `/sdapi/v1/${job.request.route}`, reply, answerSchema),
      job.request,
    );
    // Half-done pictures come like any others.
    if (job.isCancelled || job.isCut || read.isPartial) return this.#ended(job, 'interrupted', []);
    if (read.isEmpty) return this.#ended(job, 'error', [], NO_PICTURE);
    const { shelf, find } = this.#parts;
    const images = read.made.map(({ bytes, extension, infotext }, i): RunImage => {
      const file = shelf.put(job.id, `${String(i + 1).padStart(5, '0')}.${extension}`, bytes);
      const prompt = infotext === null ? null : (find?.({ infotext }) ?? null);
      const maker = { type: job.request.route, title: null, map: null };
      return { ...file, node: job.request.route, replayed: false, maker, prompt };
    });
    if (images.length > 0)
      job.push({ kind: 'images', id: job.id, node: job.request.route, files: images.map(fileOf) });
    return this.#ended(job, 'success', images);
  }

  #ended(job: Job, status: HostRun['status'], images: RunImage[], error: string | null = null) {
    return { run: { id: job.id, status, images, left: [], error, endedAt: Date.now() } };
  }
}

const NO_PICTURE = 'it answered without a picture, as it does when no model is loaded';

const fileOf = ({ filename, subfolder, type }: RunImage) => ({ filename, subfolder, type });
