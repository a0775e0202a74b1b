/**
 * 6 batch: continuous batching over a pool of worker threads.
 *
 * A worker takes what waits, up to `maxBatch`, at once; while it is busy, items gather. No timer. Each worker has one
 * batch in work and one in hand, so that it never waits for the main thread.
 * A batch that fails is run again item by item, so that only the bad item fails. A worker that dies is
 * replaced, and its batch run again item by item; an item that kills a worker alone fails. One that cannot be replaced
 * at once is tried again until it can; what waits for the last one fails after a while.
 */
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { residentBytes } from '../../lib/memory.ts';
import { PACE, type Pace, pauseAfter } from '../../lib/pace.ts';
import type { Precision } from './onnx/widen.ts';
import { endSessionWorker, type SessionWorker, startSessionWorker } from './session-worker.ts';
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

interface Slot extends SessionWorker {
  /** Batches sent and not answered, oldest first. */
  batches: Job[][];
}

/** One batch in work, one in hand. */
const BATCHES_A_WORKER = 2;

export interface BatcherOptions {
  spec: SessionSpec;
  /** Most items of a batch on the provider that was loaded. */
  maxBatch: (provider: string) => number;
  workers: number;
  /** Asked before a lost worker is replaced. @throws when the files are not those of the first start */
  check?: () => Promise<void>;
  pace?: Pace;
  /** Told of each worker that is lost or cannot be started again. */
  onTrouble?: ((trouble: string) => void) | undefined;
}

export interface Batcher {
  provider: string;
  notes: string[];
  /** What four-bit weights were made of; undefined where they stay as they are. */
  precision?: Precision | undefined;
  /** What loading the sessions added to the memory of this process, in bytes. */
  loadedBytes: number;
  /** Why nothing can be inferred now; null: it can. */
  readonly fault: string | null;
  /** @throws INFERENCE_FAILED, SCORER_RECOVERING, DRAINING, or the signal's reason */
  infer(feeds: Tensors, signal: AbortSignal): Promise<Inferred>;
  /** Runs copies of one item as one batch, whatever is the most. @returns milliseconds of the run */
  timeBatch(feeds: Tensors, count: number): Promise<number>;
  /** Ends the workers after what they run; waiting items fail with DRAINING at once. */
  close(): Promise<void>;
}

/** Starts the workers and waits until their sessions are loaded. @throws MODEL_LOAD_FAILED, BACKEND_MISSING */
export async function openBatcher(options: BatcherOptions): Promise<Batcher> {
  const pool = new Pool(options);
  await pool.start();
  return pool;
}

class Pool implements Batcher {
  provider = 'cpu';
  notes: string[] = [];
  precision: Precision | undefined;
  loadedBytes = 0;
  readonly #options: BatcherOptions;
  readonly #pace: Pace;
  readonly #slots: Slot[] = [];
  readonly #pauses = new Set<NodeJS.Timeout>();
  #queue: Job[] = [];
  #closed = false;
  /** Workers lost since the last answer of one. */
  #losses = 0;
  #lastFailure = '';
  /** While no worker is left: when images stop waiting for one. */
  #outage: { over: boolean; timer: NodeJS.Timeout } | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#pace = options.pace ?? PACE;
  }

  async start(): Promise<void> {
    const before = residentBytes();
    const { workers, spec } = this.#options;
    const started = await Promise.allSettled(
      Array.from({ length: workers }, async () => this.#admit(await startSessionWorker(spec))),
    );
    const failed = started.find((s) => s.status === 'rejected');
    this.loadedBytes = Math.max(0, (residentBytes() ?? 0) - (before ?? 0));
    if (!failed) return;
    await this.close();
    throw failed.reason;
  }

  get fault(): string | null {
    return this.#outage ? `it is being started again: ${this.#lastFailure}` : null;
  }

  infer(feeds: Tensors, signal: AbortSignal): Promise<Inferred> {
    if (this.#closed) return Promise.reject(fail('DRAINING', {}));
    if (this.#outage?.over) return Promise.reject(this.#recovering());
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

  async timeBatch(feeds: Tensors, count: number): Promise<number> {
    const slot = this.#slots[0];
    if (!slot) throw this.#recovering();
    const runs = Array.from({ length: count }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<Inferred>();
      const job: Job = {
        feeds,
        enqueuedAt: performance.now(),
        alone: true,
        settled: false,
        resolve,
        reject,
      };
      return { job, promise };
    });
    this.#send(
      slot,
      runs.map(({ job }) => job),
    );
    const [first] = await Promise.all(runs.map(({ promise }) => promise));
    return first!.inferMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#endOutage();
    for (const pause of this.#pauses) clearTimeout(pause);
    const waiting = [...this.#queue, ...this.#slots.flatMap((slot) => slot.batches.flat())];
    this.#queue = [];
    for (const job of waiting) this.#settle(job, () => job.reject(fail('DRAINING', {})));
    await Promise.all(this.#slots.map(endSessionWorker));
  }

  /** Takes a worker whose session is loaded into the pool. */
  #admit(started: SessionWorker): void {
    const slot: Slot = { ...started, batches: [] };
    [this.provider, this.notes, this.precision] = [started.provider, started.notes, started.precision];
    slot.worker.on('message', (reply: WorkerReply) => this.#finish(slot, reply));
    slot.worker.on('error', (error) => this.#died(slot, error.message));
    slot.worker.on('exit', (code) => this.#died(slot, `the worker ended with code ${code}`));
    this.#slots.push(slot);
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
    this.#losses = 0;
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
    this.#replaceLater(`a worker was lost: ${reason}`, ++this.#losses);
  }

  /** @param failures in a row: losses, or attempts to replace one worker */
  #replaceLater(failure: string, failures: number): void {
    this.#lastFailure = failure;
    this.#options.onTrouble?.(`scorer ${this.#options.spec.scorer}: ${failure}`);
    if (this.#slots.length === 0) this.#beginOutage();
    const pause = setTimeout(
      () => {
        this.#pauses.delete(pause);
        void this.#replace(failures);
      },
      pauseAfter(failures, this.#pace),
    );
    this.#pauses.add(pause);
  }

  /** On the provider of the first start only: another one may have other weights than the results say. */
  async #replace(failures: number): Promise<void> {
    try {
      await this.#options.check?.();
      const fresh = await startSessionWorker({ ...this.#options.spec, providers: [this.provider] });
      if (this.#closed) return void endSessionWorker(fresh);
      this.#admit(fresh);
      this.#endOutage();
      this.#dispatch();
    } catch (error) {
      if (this.#closed) return;
      this.#replaceLater(`a lost worker cannot be replaced: ${reasonOf(error)}`, failures + 1);
    }
  }

  #beginOutage(): void {
    if (this.#outage) return;
    const timer = setTimeout(() => {
      outage.over = true;
      for (const job of this.#queue.splice(0)) this.#settle(job, () => job.reject(this.#recovering()));
    }, this.#pace.patienceMs);
    const outage = { over: false, timer };
    this.#outage = outage;
  }

  #endOutage(): void {
    clearTimeout(this.#outage?.timer);
    this.#outage = undefined;
  }

  #recovering(): AssayError {
    const { scorer } = this.#options.spec;
    return fail('SCORER_RECOVERING', { scorer, reason: this.#lastFailure }, { retryAfterMs: RETRY_AFTER_MS });
  }

  #settle(job: Job, how: () => void): void {
    if (job.settled) return;
    job.settled = true;
    how();
  }
}

/** A pause in which a scorer may have come back. */
const RETRY_AFTER_MS = 5000;
