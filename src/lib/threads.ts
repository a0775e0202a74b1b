/** Threads that do one task at a time each: started by work, ended by a while without any. */
import { type Transferable, Worker } from 'node:worker_threads';
import { fail } from '../errors/error.ts';
import { orAbort } from './abort.ts';
import { FairQueue } from './fair-queue.ts';

/** What a thread answers to a task. */
export type Reply<Result> = { result: Result } | { error: unknown };

/** A task, and the buffers that go over to the thread with it. */
export type Handover<Task> = [task: Task, buffers: Transferable[]];

export interface ThreadsOptions {
  /** The module that a thread runs; it answers each message with one `Reply`. */
  file: URL;
  /** Threads at once; further tasks wait. */
  most: number;
  /** How long a thread stays without work. */
  idleMs: number;
}

/** Turns go by arrival, not by client. */
const EVERYONE = '';

export class Threads<Task, Result> {
  readonly #options: ThreadsOptions;
  readonly #turns: FairQueue;
  readonly #all = new Set<Thread<Task, Result>>();
  /** The last one rested last, so that the others may end. */
  readonly #idle: Thread<Task, Result>[] = [];
  #closed = false;

  /** Starts none. */
  constructor(options: ThreadsOptions) {
    this.#options = options;
    this.#turns = new FairQueue(() => options.most, Number.POSITIVE_INFINITY);
  }

  /**
   * Has a thread do a task.
   *
   * @param make called when the turn comes, so that what waits has no buffers of its own
   * @throws what the thread answers as its error or dies of, DRAINING, or the signal's reason
   */
  async run(make: () => Handover<Task> | Promise<Handover<Task>>, signal: AbortSignal): Promise<Result> {
    const leave = await this.#turns.enter(EVERYONE, signal);
    try {
      const handover = await make();
      if (this.#closed) throw fail('DRAINING', {});
      const reply = await this.#ask(handover, signal);
      if ('error' in reply) throw reply.error;
      return reply.result;
    } finally {
      leave();
    }
  }

  /** Ends the threads for good; tasks in work and waiting fail with DRAINING. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#all, (thread) => thread.end()));
  }

  async #ask(handover: Handover<Task>, signal: AbortSignal): Promise<Reply<Result>> {
    const thread = this.#idle.pop() ?? this.#start();
    try {
      const reply = await orAbort(thread.ask(handover), signal);
      this.#idle.push(thread);
      thread.rest(this.#options.idleMs, () => this.#retire(thread));
      return reply;
    } catch (error) {
      // It is dead, or busy with what nobody waits for.
      void thread.end();
      throw this.#closed ? fail('DRAINING', {}) : error;
    }
  }

  #start(): Thread<Task, Result> {
    const thread = new Thread<Task, Result>(this.#options.file, () => {
      this.#all.delete(thread);
      this.#forget(thread);
    });
    this.#all.add(thread);
    return thread;
  }

  /** It takes a while to end: it must not be given work meanwhile. */
  #retire(thread: Thread<Task, Result>): void {
    this.#forget(thread);
    void thread.end();
  }

  #forget(thread: Thread<Task, Result>): void {
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

/** One thread, which keeps the process alive only while it works. */
class Thread<Task, Result> {
  readonly #worker: Worker;
  #asked: PromiseWithResolvers<Reply<Result>> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(file: URL, onExit: () => void) {
    this.#worker = new Worker(file);
    this.#worker.on('message', (reply: Reply<Result>) => this.#asked?.resolve(reply));
    this.#worker.on('error', (error) => this.#asked?.reject(error));
    this.#worker.on('exit', (code) => {
      clearTimeout(this.#idle);
      onExit();
      this.#asked?.reject(new Error(`the thread ended with code ${code} before it answered`));
    });
  }

  async ask([task, buffers]: Handover<Task>): Promise<Reply<Result>> {
    clearTimeout(this.#idle);
    this.#worker.postMessage(task, buffers);
    this.#worker.ref();
    this.#asked = Promise.withResolvers();
    return this.#asked.promise;
  }

  /** @param onTired called after `idleMs` without work */
  rest(idleMs: number, onTired: () => void): void {
    this.#worker.unref();
    this.#idle = setTimeout(onTired, idleMs).unref();
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
