/**
 * Watches training runs through the rewards that they are given: figures of each, and a warning when the reward rises
 * while a scorer that is not trained against falls. That one judges a share of the groups, after their answer has left.
 */
import { hash } from 'node:crypto';
import type { Log } from '../../log.ts';
import type { ImageInput } from '../../types/image.ts';
import type { ScoreItem } from '../../types/request.ts';
import type { RewardItem, RewardRequest, RewardResult } from '../../types/reward.ts';
import type { MonitorReport, RunWarning } from '../../types/run.ts';
import { type Pair, Run } from './run.ts';

/** Runs that are known at once; the one that was silent longest makes room. */
const MOST_RUNS = 64;
/** What may wait for the held-out scorer; what is more is skipped, and counted. */
const MOST_WAITING = { groups: 64, bytes: 64 * 2 ** 20 };
/** Of requests that name no run, and of clients that name themselves neither. */
const UNNAMED = 'unnamed';

export interface MonitorOptions {
  heldOut: MonitorReport['heldOut'];
  /** Held-out scores in order; null where there is none. */
  judge(items: ScoreItem[], signal: AbortSignal): Promise<(number | null)[]>;
  log: Pick<Log, 'warn'>;
}

/** A request whose rewards will be seen. */
export interface Watched {
  request: RewardRequest;
  /** Tells its rewards. */
  see(rewards: RewardResult): void;
}

interface Job {
  run: Run;
  items: ScoreItem[];
  rewards: RewardItem[];
  bytes: number;
}

export class Monitor {
  readonly #options: MonitorOptions;
  /** The one that was silent longest comes first. */
  readonly #runs = new Map<string, Run>();
  readonly #listeners = new Set<(warning: RunWarning) => void>();
  readonly #closing = new AbortController();
  readonly #waiting: Job[] = [];
  readonly #failed = new WeakSet<Run>();
  #work: Promise<void> | undefined;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  get report(): MonitorReport {
    const { heldOut } = this.#options;
    return { heldOut, runs: [...this.#runs.values()].reverse().map((run) => run.report(heldOut !== null)) };
  }

  listen(listener: (warning: RunWarning) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the images of the groups that are to be judged while they are at hand. */
  watch(request: RewardRequest): Watched {
    const images = new Map<number, ImageInput>();
    const run = this.#runOf(request);
    const due = this.#dueGroups(run, request.items);
    const items = request.items.map((item, i) =>
      due.has(item.group ?? null) ? keeping(item, (image) => images.set(i, image)) : item,
    );
    return { request: { ...request, items }, see: (rewards) => this.#see(run, request, rewards, images) };
  }

  /** Gives up what is not judged. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  #runOf({ run: name = UNNAMED, profile }: RewardRequest): Run {
    const profileName = typeof profile === 'object' ? null : (profile ?? null);
    const key = hash('sha256', JSON.stringify([name, profile]));
    const run = this.#runs.get(key) ?? new Run(name, profileName);
    this.#runs.delete(key);
    this.#runs.set(key, run);
    if (this.#runs.size > MOST_RUNS) this.#runs.delete(this.#runs.keys().next().value!);
    return run;
  }

  #dueGroups(run: Run, items: ScoreItem[]): Set<string | null> {
    const { heldOut } = this.#options;
    if (!heldOut) return new Set();
    const groups = new Set(items.map(({ group = null }) => group));
    return new Set([...groups].filter(() => run.isDue(heldOut.share)));
  }

  #see(run: Run, request: RewardRequest, rewards: RewardResult, images: Map<number, ImageInput>): void {
    if (request.signal.aborted || !run.add(rewards, request.key)) return;
    const groups = Map.groupBy(images.keys(), (i) => request.items[i]!.group ?? null);
    for (const places of groups.values()) {
      const bytes = places.reduce((sum, i) => sum + images.get(i)!.bytes.length, 0);
      if (this.#hasRoom(bytes)) {
        const items = places.map((i) => holding(request.items[i]!, images.get(i)!));
        this.#enqueue({ run, items, rewards: places.map((i) => rewards.results[i]!), bytes });
      } else run.skip();
    }
  }

  #hasRoom(bytes: number): boolean {
    const all = this.#waiting.reduce((sum, waiting) => sum + waiting.bytes, bytes);
    return this.#waiting.length < MOST_WAITING.groups && all <= MOST_WAITING.bytes;
  }

  #enqueue(job: Job): void {
    this.#waiting.push(job);
    this.#work ??= this.#judgeAll().finally(() => {
      this.#work = undefined;
    });
  }

  /** Never rejects. */
  async #judgeAll(): Promise<void> {
    for (let job = this.#waiting.shift(); job; job = this.#waiting.shift()) {
      if (this.#closing.signal.aborted) return;
      const { run, items, rewards } = job;
      const scores = await this.#options.judge(items, this.#closing.signal).catch((error) => {
        this.#tellFailure(run, error);
        return [];
      });
      const pairs = items.flatMap((_, i): Pair[] => {
        const [heldOut, { reward, missing }] = [scores[i] ?? null, rewards[i]!];
        return heldOut === null || reward === null || missing ? [] : [{ reward, heldOut }];
      });
      const warning = run.judge(pairs, rewards[0]!.prompt ?? '', this.#options.heldOut!.scorer);
      if (warning) this.#warn(warning);
    }
  }

  /** Whatever keeps the held-out scorer from its work, the rewards are none the worse for it. It is told once a run. */
  #tellFailure(run: Run, error: unknown): void {
    if (this.#closing.signal.aborted || this.#failed.has(run)) return;
    this.#failed.add(run);
    this.#options.log.warn({ err: error, run: run.name }, 'the held-out scorer cannot judge a run');
  }

  #warn(warning: RunWarning): void {
    const { message, ...figures } = warning;
    this.#options.log.warn(figures, message);
    for (const listener of this.#listeners) listener(warning);
  }
}

const keeping = (item: ScoreItem, keep: (image: ImageInput) => void): ScoreItem => ({
  ...item,
  fetch: async (signal, maxBytes) => {
    const image = await item.fetch(signal, maxBytes);
    keep(image);
    return image;
  },
});

/** The same item with bytes of its own: those that came may be a part of the whole request, which need not stay. */
function holding(item: ScoreItem, image: ImageInput): ScoreItem {
  const own = { ...image, bytes: new Uint8Array(image.bytes) };
  return { ...item, fetch: () => own };
}
