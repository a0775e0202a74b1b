/**
 * 6 batch: continuous batching over a pool of worker threads.
 *
 * A worker takes what waits, up to `maxBatch`, at once; while it is busy, items gather. No timer. Each worker has one
 * batch in work and one in hand, so that it never waits for the main thread.
 * A batch that fails is run again item by item, so that only the bad item fails. A worker that dies is
 * replaced, and its batch run again item by item; an item that kills a worker alone fails.
 */
import { Worker } from 'node:worker_threads';
import { type AssayError, fail } from '../errors.ts';
import { silence } from '../quiet.ts';
import { item, type SessionSpec, type Tensors } from './tensor.ts';
import type { WorkerReply, WorkerTask } from './worker.ts';

export interface Inferred {
  /** Graph outputs of the item, without the batch dimension. */
  outputs: Tensors;
  queueMs: number;
  /** Duration of the whole batch that the item was part of. */
  inferMs: number;
}

interface Job {
  feeds: Tensors;
  enqueuedAt: number;
  /** Run by itself, after its batch failed. */
  alone: boolean;
  settled: boolean;
  resolve: (value: Inferred) => void;
  reject: (error: AssayError) => void;
}

interface Slot {
  worker: Worker;
  /** Batches sent and not answered, oldest first. */
  batches: Job[][];
}

/** Longer than any run should take. */
const END_TIMEOUT_MS = 60_000;

/** One batch in work, one in hand. */
const BATCHES_A_WORKER = 2;

export interface BatcherOptions {
  spec: SessionSpec;
  /** Most items of a batch on the provider that was loaded. */
  maxBatch: (provider: string) => number;
  workers: number;
}

export interface Batcher {
  provider: string;
  notes: string[];
  /** What loading the sessions added to the memory of this process, in bytes. */
  loadedBytes: number;
  infer(feeds: Tensors, signal: AbortSignal): Promise<Inferred>;
  /** Ends the workers after what they run; waiting items fail with DRAINING at once. */
  close(): Promise<void>;
}

// The same file runs from source (.ts) and from the built package (.js).
const WORKER = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Starts the workers and waits until their sessions are loaded. @throws MODEL_LOAD_FAILED, BACKEND_MISSING */
export async function openBatcher(options: BatcherOptions): Promise<Batcher> {
  const pool = new Pool(options);
  await pool.start();
  return pool;
}

class Pool implements Batcher {
  provider = 'cpu';
  notes: string[] = [];
  loadedBytes = 0;
  readonly #options: BatcherOptions;
  readonly #slots: Slot[] = [];
  #queue: Job[] = [];
  #closed = false;
  /** Why no worker can be started any more. */
  #broken: AssayError | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const before = process.memoryUsage.rss();
    const spawned = await Promise.allSettled(
      Array.from({ length: this.#options.workers }, () => this.#spawn()),
    );
    for (const s of spawned) if (s.status === 'fulfilled') this.#slots.push(s.value);
    const failed = spawned.find((s) => s.status === 'rejected');
    this.loadedBytes = Math.max(0, process.memoryUsage.rss() - before);
    if (!failed) return;
    await this.close();
    throw failed.reason;
  }

  infer(feeds: Tensors, signal: AbortSignal): Promise<Inferred> {
    if (this.#closed) return Promise.reject(fail('DRAINING', {}));
    if (this.#broken) return Promise.reject(this.#broken);
    const { promise, resolve, reject } = Promise.withResolvers<Inferred>();
    const job: Job = { feeds, enqueuedAt: performance.now(), alone: false, settled: false, resolve, reject };
    const onAbort = () => {
      this.#queue = this.#queue.filter((j) => j !== job);
      this.#settle(job, () => reject(signal.reason));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(job);
    this.#dispatch();
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#queue, ...this.#slots.flatMap((slot) => slot.batches.flat())];
    this.#queue = [];
    for (const job of waiting) this.#settle(job, () => job.reject(fail('DRAINING', {})));
    await Promise.all(this.#slots.map((slot) => end(slot.worker)));
  }

  async #spawn(): Promise<Slot> {
    silence();
    const worker = new Worker(WORKER, { workerData: this.#options.spec });
    const slot: Slot = { worker, batches: [] };
    const first = await firstReply(worker);
    if (first.type === 'unloadable') throw this.#unloadable(first);
    if (first.type === 'ready') [this.provider, this.notes] = [first.provider, first.notes];
    worker.on('message', (reply: WorkerReply) => this.#finish(slot, reply));
    worker.on('error', (error) => this.#died(slot, error.message));
    worker.on('exit', (code) => this.#died(slot, `the worker ended with code ${code}`));
    return slot;
  }

  #unloadable(reply: Extract<WorkerReply, { type: 'unloadable' }>): AssayError {
    const { scorer, backend } = this.#options.spec;
    if (reply.install) return fail('BACKEND_MISSING', { scorer, backend, install: reply.install });
    return fail('MODEL_LOAD_FAILED', { scorer, reason: reply.reason });
  }

  /** Idle workers first, so that two of them never leave one with two batches and one with none. */
  #dispatch(): void {
    for (let depth = 0; depth < BATCHES_A_WORKER; depth++)
      for (const slot of this.#slots) {
        if (this.#queue.length === 0) return;
        if (slot.batches.length === depth) this.#send(slot, this.#take());
      }
  }

  /** The next batch: from the front, up to `maxBatch`; an item that must run alone comes alone. */
  #take(): Job[] {
    const size = this.#queue[0]!.alone ? 1 : this.#options.maxBatch(this.provider);
    const stop = this.#queue.findIndex((job, i) => i > 0 && job.alone);
    return this.#queue.splice(0, stop < 0 ? size : Math.min(size, stop));
  }

  #send(slot: Slot, jobs: Job[]): void {
    slot.batches.push(jobs);
    const names = Object.keys(jobs[0]!.feeds);
    const task: WorkerTask = {
      type: 'run',
      feeds: Object.fromEntries(names.map((name) => [name, jobs.map((job) => job.feeds[name]!)])),
    };
    slot.worker.postMessage(task);
  }

  #finish(slot: Slot, reply: WorkerReply): void {
    const jobs = slot.batches.shift() ?? [];
    if (reply.type === 'done') this.#deliver(jobs, reply);
    else if (reply.type === 'failed') this.#retry(jobs, reply.reason);
    this.#dispatch();
  }

  #deliver(jobs: Job[], reply: Extract<WorkerReply, { type: 'done' }>): void {
    const outputs = Object.entries(reply.outputs);
    const short = outputs.find(([, tensor]) => tensor.dims[0] !== jobs.length);
    if (short) {
      this.#retry(jobs, `output ${short[0]} has ${short[1].dims[0]} rows for ${jobs.length} images`);
      return;
    }
    jobs.forEach((job, i) => {
      const own = Object.fromEntries(outputs.map(([name, tensor]) => [name, item(tensor, i)]));
      const queueMs = Math.max(0, performance.now() - job.enqueuedAt - reply.inferMs);
      this.#settle(job, () => job.resolve({ outputs: own, queueMs, inferMs: reply.inferMs }));
    });
  }

  /** Items of a failed batch go back to the front, one by one; an item that failed alone fails. */
  #retry(jobs: Job[], reason: string): void {
    const scorer = this.#options.spec.scorer;
    const open = jobs.filter((job) => !job.settled);
    for (const job of open) {
      if (job.alone || jobs.length === 1)
        this.#settle(job, () => job.reject(fail('INFERENCE_FAILED', { scorer, reason })));
      else job.alone = true;
    }
    this.#queue.unshift(...open.filter((job) => !job.settled));
  }

  #died(slot: Slot, reason: string): void {
    const at = this.#slots.indexOf(slot);
    if (this.#closed || at < 0) return;
    this.#slots.splice(at, 1);
    const [inWork = [], ...inHand] = slot.batches;
    this.#queue.unshift(...inHand.flat().filter((job) => !job.settled));
    this.#retry(inWork, reason);
    this.#spawn().then(
      (fresh) => {
        if (this.#closed) return void end(fresh.worker);
        this.#slots.push(fresh);
        this.#dispatch();
      },
      (error: AssayError) => this.#giveUp(error),
    );
  }

  #giveUp(error: AssayError): void {
    if (this.#slots.length > 0) return;
    this.#broken = error;
    for (const job of this.#queue.splice(0)) this.#settle(job, () => job.reject(error));
  }

  #settle(job: Job, how: () => void): void {
    if (job.settled) return;
    job.settled = true;
    how();
  }
}

/**
 * Lets a worker finish its run and leave by itself: ended from outside while it is inside the runtime, it would take the
 * whole process along.
 */
async function end(worker: Worker): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.once('exit', () => resolve());
  const deadline = setTimeout(() => void worker.terminate(), END_TIMEOUT_MS);
  worker.postMessage({ type: 'end' } satisfies WorkerTask);
  await promise;
  clearTimeout(deadline);
}

/** The first message of a worker; one that dies before it counts as unloadable. */
function firstReply(worker: Worker): Promise<WorkerReply> {
  return new Promise((resolve) => {
    const lost = (reason: string) => resolve({ type: 'unloadable', reason });
    worker.once('message', resolve);
    worker.once('error', (error) => lost(error.message));
    worker.once('exit', (code) => lost(`the worker ended with code ${code} while loading`));
  });
}
