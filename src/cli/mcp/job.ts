/** A search in a process of its own, as the command line runs it, and how it stands by what it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fewOf } from '../../lib/words.ts';
import { imagesOf } from '../../loops/study/pick.ts';
import type { Outcome, Scored, Trial } from '../../loops/study/types.ts';
import { cut, rounded } from './brief.ts';

/** Lines of its standard error that are kept. */
const MOST_SAID = 8;
const MOST_PARAMETERS = 8;
const MOST_WINNERS = 20;

export type JobState = 'starting' | 'running' | 'ended' | 'stopped' | 'failed';

interface Best {
  trial: string;
  image: string;
  values: object;
  seed: number;
  parameters?: object;
}

/** What the command line prints, a line each. */
type Line = { trial: Trial; outcome: Outcome } | { round: number } | SearchEnd | RefinementEnd;
interface SearchEnd {
  done: { reason: string; words: string } | null;
  winners: { trial: string; value: number; path: string }[];
  keep: number;
  rejected: number;
  failed: number;
  report: string;
  notes: string[];
}
interface RefinementEnd {
  verdict: object | null;
  images: number;
  report: string;
}

const roundedAll = (values: Scored['values']): object =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value && rounded(value)]));

/** The error that ends a command, as it is printed for machines. */
function failureIn(line: string): object | undefined {
  if (!line.startsWith('{"error"')) return undefined;
  try {
    return (JSON.parse(line) as { error: object }).error;
  } catch {
    return undefined;
  }
}

/** What is left when it ends, cut to what a model needs. */
function endOf(line: SearchEnd | RefinementEnd, shown: (path: string) => string): object {
  if (!('done' in line)) return { verdict: line.verdict, images: line.images, report: shown(line.report) };
  const { done, winners, keep, rejected, failed, report, notes } = line;
  return {
    because: done?.words ?? 'it was stopped',
    winners: winners
      .slice(0, MOST_WINNERS)
      .map(({ trial, value, path }) => ({ trial, value: rounded(value), path: shown(path) })),
    ...(winners.length > MOST_WINNERS && { winnersMore: winners.length - MOST_WINNERS }),
    ...{ wanted: keep, rejected, failed, report: shown(report) },
    ...(notes.length > 0 && { notes: cut(fewOf(notes), 400) }),
  };
}

export interface JobOptions {
  id: string;
  kind: 'search' | 'refinement';
  /** Arguments of `assay`. */
  args: readonly string[];
  /** Of the study. */
  folder: string;
  /** The measure that the best so far is told by. */
  by: string;
}

export class Job {
  readonly id: string;
  readonly #options: JobOptions;
  readonly #child: ChildProcess;
  readonly #begun = Date.now();
  #state: JobState = 'starting';
  #trials = { told: 0, failed: 0 };
  #best: { value: number; found: Best } | undefined;
  #result: SearchEnd | RefinementEnd | undefined;
  #rounds = 0;
  #said: string[] = [];
  #failure: object | undefined;
  #isStopping = false;
  #changed = Promise.withResolvers<void>();
  readonly #over: Promise<void>;

  constructor(options: JobOptions) {
    this.id = options.id;
    this.#options = options;
    // The same program with the same Node, whatever that is called here.
    const [program] = process.argv.slice(1);
    this.#child = spawn(process.execPath, [...process.execArgv, program!, ...options.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    createInterface({ input: stdout! }).on('line', (line) => this.#hear(line));
    createInterface({ input: stderr! }).on('line', (line) => this.#overhear(line));
    this.#over = once(this.#child, 'close').then(
      ([code]) => this.#end(code as number | null),
      (error: Error) => {
        this.#failure = { message: error.message };
        this.#end(null);
      },
    );
  }

  get isOver(): boolean {
    return this.#state === 'ended' || this.#state === 'stopped' || this.#state === 'failed';
  }

  /** Until something has changed, or the time is over. */
  async change(ms: number, signal: AbortSignal): Promise<void> {
    if (this.isOver) return;
    const ending = new AbortController();
    const wait = pause(ms, undefined, { signal: AbortSignal.any([signal, ending.signal]) });
    await Promise.race([this.#changed.promise, wait.catch(() => undefined)]);
    ending.abort();
    signal.throwIfAborted();
  }

  /** Until it makes images, or has ended. */
  async started(ms: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + ms;
    while (this.#state === 'starting' && performance.now() < until)
      await this.change(until - performance.now(), signal);
  }

  /** Ends it with what it has; what does not end in time is ended. It can be gone on with. */
  async stop(ms: number): Promise<void> {
    if (this.isOver) return;
    this.#isStopping = true;
    this.#child.kill('SIGINT');
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), ms);
    try {
      await this.#over;
    } finally {
      clearTimeout(killing);
    }
  }

  /** @param shown how paths are told */
  report(shown: (path: string) => string): object {
    const { kind, folder, by } = this.#options;
    return {
      ...{ id: this.id, kind, state: this.#state, folder: shown(folder), seconds: this.#seconds() },
      trials: this.#trials,
      ...(this.#rounds > 0 && { rounds: this.#rounds }),
      ...(this.#best && { bestSoFar: { by, ...this.#best.found } }),
      ...(this.#result && { result: endOf(this.#result, shown) }),
      ...(this.#failure && { error: this.#failure }),
      said: this.#said,
    };
  }

  #seconds(): number {
    return Math.round((Date.now() - this.#begun) / 1000);
  }

  #hear(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      return;
    }
    if ('outcome' in line) this.#count(line.trial, line.outcome);
    else if ('round' in line) this.#rounds = line.round;
    else this.#result = line;
    this.#notify('running');
  }

  #count(trial: Trial, outcome: Outcome): void {
    this.#trials.told++;
    if ('failed' in outcome) {
      this.#trials.failed++;
      return;
    }
    const { by } = this.#options;
    for (const { image, values, rejected } of imagesOf(outcome)) {
      const value = values[by];
      if (rejected || typeof value !== 'number' || (this.#best && this.#best.value >= value)) continue;
      const parameters = Object.entries(trial.parameters).slice(0, MOST_PARAMETERS);
      const found = {
        ...{ trial: trial.id, image: `images/${image}`, values: roundedAll(values), seed: trial.seed },
        ...(parameters.length > 0 && {
          parameters: Object.fromEntries(
            parameters.map(([name, v]) => [name, typeof v === 'string' ? cut(v) : v]),
          ),
        }),
      };
      this.#best = { value, found };
    }
  }

  #overhear(line: string): void {
    const failure = failureIn(line);
    if (failure) this.#failure = failure;
    else this.#said = [...this.#said, cut(line, 400)].slice(-MOST_SAID);
    // It greets when host and workflow are in order.
    this.#notify(/ · folder: /.test(line) ? 'running' : this.#state);
  }

  #end(code: number | null): void {
    const hasResult = this.#result !== undefined && this.#failure === undefined;
    if (this.#isStopping) this.#state = 'stopped';
    else this.#state = hasResult ? 'ended' : 'failed';
    if (!hasResult && !this.#isStopping && !this.#failure)
      this.#failure = { message: `it ended with exit code ${code}` };
    this.#changed.resolve();
  }

  #notify(state: JobState): void {
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
