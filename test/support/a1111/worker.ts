/** The one thread of the fake host: requests wait for a lock, run step by step, and can be interrupted by anybody. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Asked, infotextOf, maskOf, pictureOf } from './pictures.ts';
import type { Settings } from './settings.ts';

export interface Ask extends Asked {
  task: string;
  /** Pictures of a batch, and batches. */
  batch: number;
  batches: number;
  /** Milliseconds a step. */
  ms: number;
  /** Fails with these words in the middle. */
  failing: string | null;
  hasMask: boolean;
  saves: boolean;
}

export interface Made {
  pictures: Buffer[];
  infotexts: string[];
  seeds: number[];
  first: number;
}

export interface State {
  task: string | null;
  id: string;
  job: string;
  job_count: number;
  job_no: number;
  job_timestamp: string;
  sampling_step: number;
  sampling_steps: number;
  interrupted: boolean;
  skipped: boolean;
  /** Pictures of the steps so far. */
  previews: number;
}

export class Failed extends Error {}

/** As SD.Next writes it down. */
export interface JobEvent {
  id: string;
  job: string;
  op: 'begin' | 'end';
}

export interface Worker {
  readonly state: State;
  readonly events: JobEvent[];
  readonly pending: string[];
  readonly finished: string[];
  preview(): Promise<Buffer | null>;
  run(ask: Ask): Promise<Made>;
  interrupt(): void;
  skip(): void;
  /** Everything that runs or waits is gone, as with the process. */
  end(): void;
}

/** @param save writes a finished picture into the output folder */
export function createWorker(settings: Settings, save: (bytes: Buffer, name: string) => void): Worker {
  let jobs = 0;
  let [lock, isEnded] = [Promise.resolve() as Promise<unknown>, false];
  let now: Ask | null = null;
  const state: State = {
    ...{ task: null, id: '', job: '', job_count: 0, job_no: 0, job_timestamp: '0' },
    ...{ sampling_step: 0, sampling_steps: 0, interrupted: false, skipped: false, previews: 0 },
  };
  const [pending, finished]: [string[], string[]] = [[], []];
  const events: JobEvent[] = [];

  /** On SD.Next each step is a job of its own inside of the other, and between two of them it looks idle. */
  async function asPart(n: number, of: string): Promise<void> {
    if (settings.fork !== 'sdnext') return;
    const part = { id: `${of}-${n}`, job: 'inference' };
    events.push({ ...part, op: 'begin' });
    Object.assign(state, { id: part.id, job: 'Inference', job_count: 1 });
    await sleep(1);
    events.push({ ...part, op: 'end' });
    if (n % 3 === 0) Object.assign(state, { id: '', job: '', job_count: 0 });
  }

  /** Whether to go on with the batch. */
  async function step(ask: Ask, n: number): Promise<boolean> {
    if (isEnded) throw new Failed('ended');
    if (ask.ms > 0) await sleep(ask.ms);
    await settings.atStep?.(ask.task, n);
    if (state.interrupted || state.skipped) return false;
    state.sampling_step = n;
    state.previews++;
    await asPart(n, `job${jobs}`);
    if (ask.failing !== null && n >= Math.ceil(ask.steps / 2)) throw new Failed(ask.failing);
    return true;
  }

  /** The pictures of a batch: half done, or previews in their place, when it was cut. */
  async function take(ask: Ask, index: number, made: Made, isCut: boolean): Promise<void> {
    const one =
      ask.strength > 0 ? { ...ask, subseed: ask.subseed + index } : { ...ask, seed: ask.seed + index };
    const isPreview = isCut && settings.fork === 'sdnext';
    const bytes = await pictureOf(one, settings.hasTexts, isPreview ? 0.25 : 1);
    made.pictures.push(bytes);
    if (ask.hasMask) made.pictures.push(await maskOf(one));
    made.infotexts.push(infotextOf(one));
    if (ask.saves && !isCut) save(bytes, `${String(index).padStart(5, '0')}-${one.seed}.png`);
  }

  async function batchOf(ask: Ask, batch: number, made: Made): Promise<void> {
    for (let n = 1; n <= ask.steps; n++) if (!(await step(ask, n))) break;
    const isCut = state.interrupted || state.skipped;
    for (let i = 0; i < ask.batch; i++) await take(ask, batch * ask.batch + i, made, isCut);
    state.skipped = false;
    state.job_no++;
  }

  async function work(ask: Ask): Promise<Made> {
    Object.assign(state, {
      ...{ task: ask.task, id: `job${++jobs}`, job: 'scripts_txt2img', job_count: ask.batches, job_no: 0 },
      ...{ job_timestamp: `2026010100${String(jobs).padStart(4, '0')}`, sampling_step: 0 },
      ...{ sampling_steps: ask.steps, interrupted: false, skipped: false },
    });
    now = ask;
    const own = { id: state.id, job: 'api-txt' };
    events.push({ ...own, op: 'begin' });
    const seeds = Array.from(
      { length: ask.batch * ask.batches },
      (_, i) => ask.seed + (ask.strength > 0 ? 0 : i),
    );
    const made: Made = { pictures: [], infotexts: [], seeds, first: 0 };
    try {
      for (let batch = 0; batch < ask.batches && !state.interrupted; batch++) await batchOf(ask, batch, made);
      if (settings.hasGrid && made.pictures.length > 1) {
        made.pictures.unshift(made.pictures[0]!);
        made.infotexts.unshift(made.infotexts[0]!);
        made.first = 1;
      }
      finished.push(ask.task);
      return made;
    } finally {
      now = null;
      events.push({ ...own, op: 'end' });
      Object.assign(state, {
        task: null,
        job: '',
        job_count: 0,
        id: settings.fork === 'sdnext' ? '' : state.id,
      });
    }
  }

  return {
    ...{ state, events, pending, finished },
    preview: async () =>
      now && state.previews > 0 ? pictureOf({ ...now, seed: state.previews }, false, 0.25) : null,
    async run(ask) {
      pending.push(ask.task);
      const before = lock;
      const { promise, resolve } = Promise.withResolvers<void>();
      lock = promise;
      await before;
      pending.splice(pending.indexOf(ask.task), 1);
      try {
        return await work(ask);
      } finally {
        resolve();
      }
    },
    interrupt() {
      state.interrupted = true;
    },
    skip() {
      state.skipped = true;
    },
    end() {
      isEnded = true;
    },
  };
}
