/** Work on the history that is done aside, in a thread of its own: one task after the other, each with a deadline. */
import { Worker } from 'node:worker_threads';
import { orAbort } from '../abort.ts';
import { fail } from '../errors.ts';
import type { HistoryReply, HistoryTask } from './history-thread.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const FILE = new URL(`./history-thread${EXTENSION}`, import.meta.url);
/** How long the thread stays without work. */
const IDLE_MS = 30_000;
/** Most tasks that wait. */
const MOST = 64;

const unavailable = (reason: string) => fail('STORE_UNAVAILABLE', { reason });

export class Aside {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /**
   * Has a task done when its turn comes. The thread is started by the first.
   *
   * @param deadlineMs from the start of the task; beyond it the thread is given up
   * @throws what node:sqlite threw there, STORE_UNAVAILABLE, or the signal's reason
   */
  async ask<Result>(task: HistoryTask, deadlineMs: number, signal?: AbortSignal): Promise<Result> {
    if (this.#waiting >= MOST) throw unavailable('too many searches wait');
    this.#waiting++;
    const turn = this.#last.then(() => this.#run(task, deadlineMs, signal));
    this.#last = turn.catch(() => {});
    this.#last.then(() => this.#waiting--);
    return (await (signal ? orAbort(turn, signal) : turn)) as Result;
  }

  /** Ends the thread; tasks in work and waiting fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #run(task: HistoryTask, deadlineMs: number, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#closed) throw unavailable('it is closed');
    const reply = await this.#reply(task, deadlineMs);
    if ('error' in reply) throw Object.assign(new Error(reply.error.message), reply.error);
    return reply.result;
  }

  async #reply(task: HistoryTask, deadlineMs: number): Promise<HistoryReply> {
    const { promise, resolve, reject } = Promise.withResolvers<HistoryReply>();
    const worker = this.#started();
    const timer = setTimeout(() => reject(unavailable('it took too long')), deadlineMs);
    const onExit = () => reject(unavailable(this.#closed ? 'it is closed' : 'its thread ended'));
    worker.once('message', resolve).once('error', reject).once('exit', onExit);
    worker.ref();
    worker.postMessage(task);
    try {
      const reply = await promise;
      this.#rest();
      return reply;
    } catch (error) {
      void this.#end(); // it is dead, or busy with what nobody waits for
      throw error;
    } finally {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', reject).off('exit', onExit);
    }
  }

  #started(): Worker {
    clearTimeout(this.#idle);
    this.#worker ??= new Worker(FILE);
    return this.#worker;
  }

  #rest(): void {
    this.#worker?.unref();
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.on('error', () => {}); // of a thread that was given up
    await worker?.terminate();
  }
}
