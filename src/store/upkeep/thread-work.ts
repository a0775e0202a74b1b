/** Work on the history that is done aside, in a thread of its own: one task after the other, each with a deadline. */
import { Worker } from 'node:worker_threads';
import { fail } from '../../errors/error.ts';
import { orAbort } from '../../lib/abort.ts';
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
   * @param until gives the task up, and the thread with it when it is at work on it
   * @throws what node:sqlite threw there, STORE_UNAVAILABLE, or the signal's reason
   */
  async ask<Result>(task: HistoryTask, until: AbortSignal): Promise<Result> {
    if (this.#waiting >= MOST) throw unavailable('too many searches wait');
    this.#waiting++;
    const turn = this.#last.then(() => this.#run(task, until));
    this.#last = turn.catch(() => {});
    this.#last.then(() => this.#waiting--);
    return (await orAbort(turn, until)) as Result;
  }

  /** Ends the thread; tasks in work and waiting fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #run(task: HistoryTask, until: AbortSignal): Promise<unknown> {
    until.throwIfAborted();
    if (this.#closed) throw unavailable('it is closed');
    const reply = await this.#reply(task, until);
    if ('error' in reply) throw Object.assign(new Error(reply.error.message), reply.error);
    return reply.result;
  }

  async #reply(task: HistoryTask, until: AbortSignal): Promise<HistoryReply> {
    const { promise, resolve, reject } = Promise.withResolvers<HistoryReply>();
    const worker = this.#started();
    const onError = (error: Error) => reject(unavailable(error.message));
    const onExit = () => reject(unavailable(this.#closed ? 'it is closed' : 'its thread ended'));
    worker.once('message', resolve).once('error', onError).once('exit', onExit);
    worker.ref();
    worker.postMessage(task);
    try {
      const reply = await orAbort(promise, until);
      this.#rest();
      return reply;
    } catch (error) {
      void this.#end(); // it is dead, or busy with what nobody waits for
      throw error;
    } finally {
      worker.off('message', resolve).off('error', onError).off('exit', onExit);
    }
  }

  #started(): Worker {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): Worker {
    const worker = new Worker(FILE);
    worker.on('error', () => {}); // told to who waits; nobody may
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }

  #rest(): void {
    this.#worker?.unref();
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
