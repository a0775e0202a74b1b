/**
 * What is done while a diffusion UI makes images on the GPU that a scorer runs on, too: wait for it, go to the CPU, or
 * share the GPU. Whoever watches a host says that it is there.
 */
import type { Config } from '../config.ts';
import { pause } from '../lib/pause.ts';
import type { Judge } from '../types/judge.ts';
import type { Timings } from '../types/result.ts';

type Way = Config['gpu']['whileSampling'];

/** A program on this machine that may use the GPU. */
export interface Neighbour {
  /** What its own nodes call themselves as clients. */
  readonly name: string;
  /** Whether it makes images now, as far as is known. */
  readonly isBusy: boolean;
}

export interface Turn {
  onCpu: boolean;
  waitedMs: number;
  /** For the timings; absent when no neighbour was busy, or the scorer is on the CPU anyway. */
  whileSampling?: Timings['whileSampling'];
}

/** A host with a long queue is never idle. */
const LONGEST_WAIT_MS = 30_000;
const LOOK_EVERY_MS = 50;

export class Manners {
  readonly #way: Way;
  readonly #neighbours = new Set<Neighbour>();
  readonly #longestWaitMs: number;

  constructor(way: Way, longestWaitMs = LONGEST_WAIT_MS) {
    this.#way = way;
    this.#longestWaitMs = longestWaitMs;
  }

  /** @returns what ends it */
  beside(neighbour: Neighbour): () => void {
    this.#neighbours.add(neighbour);
    return () => void this.#neighbours.delete(neighbour);
  }

  /**
   * How an image may be judged, and when.
   *
   * @param client who asks: nodes inside a busy host ask in the middle of its run, which goes on when they are answered
   * @throws the signal's reason
   */
  async turn({ gpu }: Judge, client: string, signal: AbortSignal): Promise<Turn> {
    if (gpu === undefined || !this.#isBusy(client)) return { onCpu: false, waitedMs: 0 };
    if (this.#way === 'cpu' && gpu === 'or-cpu') return { onCpu: true, waitedMs: 0, whileSampling: 'cpu' };
    if (this.#way === 'share') return { onCpu: false, waitedMs: 0, whileSampling: 'shared' };
    const waitedMs = await this.#wait(client, signal);
    return { onCpu: false, waitedMs, whileSampling: this.#isBusy(client) ? 'shared' : 'waited' };
  }

  #isBusy(client: string): boolean {
    return [...this.#neighbours].some(({ name, isBusy }) => isBusy && name !== client);
  }

  async #wait(client: string, signal: AbortSignal): Promise<number> {
    const start = performance.now();
    const waited = () => performance.now() - start;
    while (this.#isBusy(client) && waited() < this.#longestWaitMs) await pause(LOOK_EVERY_MS, signal);
    return waited();
  }
}
