/**
 * Drives a study on a host: has its trials made and judged, a few at a time, and tells the study. What cannot be made
 * fails alone.
 */
import { type AssayError, toAssayError } from '../../errors/error.ts';
import type { Host } from '../../host.ts';
import { Known, type RunContext, type RunPace, type RunParts, runTrial } from './run.ts';
import type { Study } from './study.ts';
import type { Done, Outcome, Trial } from './types.ts';

export interface DriveParts extends RunParts {
  study: Study;
  /** Time that the study has taken, in milliseconds. */
  elapsedMs(): number;
  onTold?(trial: Trial, outcome: Outcome): void;
  pace?: Partial<DrivePace>;
}

export interface DrivePace extends RunPace {
  /** Trials in the host's hands at once: one runs, and the next one waits, so that the host never does. */
  depth: number;
}

/** Trials whose images wait for their scores, beyond which no new one is begun. */
const MOST_JUDGED = 2;
const PACE: DrivePace = { depth: 2, retryMs: 500, patienceMs: 600_000 };
const MINUTE_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Errors that no other trial would be spared. */
function isFatal({ code }: AssayError, { study }: DriveParts): boolean {
  const isFirst = study.trials.every(({ outcome }) => outcome === null || 'failed' in outcome);
  if (code === 'WORKFLOW_REJECTED' || code === 'MEASURE_MISSING') return isFirst;
  return !/^(RUN_|IMAGE_|PROMPT_LOST$)/.test(code);
}

/** Trials in work, until something ends them all. */
class Crew {
  readonly #work = new Map<string, Promise<void>>();
  /** Ids of those that the host is done with. */
  readonly #made = new Set<string>();
  #wake: (() => void) | undefined;
  readonly #ending = new AbortController();
  readonly #make: (trial: Trial, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  /** What ended it, if anything went wrong. */
  fatal: AssayError | undefined;

  constructor(make: (trial: Trial, signal: AbortSignal) => Promise<void>, outer: AbortSignal) {
    this.#make = make;
    this.signal = AbortSignal.any([outer, this.#ending.signal]);
  }

  get size(): number {
    return this.#work.size;
  }

  /** Whether the host, or the scorer, has enough to do. */
  isFull(depth: number): boolean {
    return this.size - this.#made.size >= depth || this.size >= depth + MOST_JUDGED;
  }

  made({ id }: Trial): void {
    this.#made.add(id);
    this.#wake?.();
  }

  has = ({ id }: Trial): boolean => this.#work.has(id);

  begin(trial: Trial): void {
    const work = this.#make(trial, this.signal)
      .catch((error) => {
        if (this.signal.aborted) return;
        this.fatal = toAssayError(error);
        this.#ending.abort(this.fatal);
      })
      .finally(() => {
        this.#work.delete(trial.id);
        this.#made.delete(trial.id);
      });
    this.#work.set(trial.id, work);
  }

  /** Until something has changed. */
  async change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await Promise.race([promise, ...this.#work.values()]);
  }

  stop(): void {
    this.#ending.abort();
  }

  /** Stops, and waits until nothing is in work. */
  async end(): Promise<void> {
    this.stop();
    await Promise.all(this.#work.values());
  }
}

/**
 * Runs until the study is over or the signal aborts; then what is under way is taken out of the host's queue, and stays
 * open in the study.
 *
 * @returns why the study is over; null when the signal ended it
 * @throws NOTHING_NEW, WORKFLOW_REJECTED or MEASURE_MISSING of a first trial, errors of the host that last, and what `judge` throws
 */
export async function drive(parts: DriveParts, signal: AbortSignal): Promise<Done | null> {
  const { study } = parts;
  const pace = { ...PACE, ...parts.pace };
  const submit = oneByOne(parts.host);
  const crew: Crew = new Crew(
    (trial, stop) => make({ ...context, onMade: (t) => crew.made(t) }, trial, stop),
    signal,
  );
  const context = { ...parts, ...pace, known: new Known(), submit };
  const over = (): Done | null => study.done() ?? timeUp(parts);
  const timer = startTimer(parts, crew);
  try {
    while (!crew.signal.aborted && !over()) {
      const next = crew.isFull(pace.depth) ? undefined : nextTrial(study, crew);
      if (next) crew.begin(next);
      else if (crew.size > 0) await crew.change();
      else break;
    }
  } finally {
    clearTimeout(timer);
    await crew.end();
  }
  if (crew.fatal) throw crew.fatal;
  const done = over();
  if (done && !study.done()) study.stop(done);
  return done;
}

function oneByOne(host: Host): Host['submit'] {
  let last: Promise<unknown> = Promise.resolve();
  return (workflow, signal) => {
    const submitted = last.then(() => host.submit(workflow, signal));
    last = submitted.catch(() => undefined);
    return submitted;
  };
}

/** One that was asked for before and is not in work, or a new one. */
const nextTrial = (study: Study, crew: Crew): Trial | undefined =>
  study.open().find((trial) => !crew.has(trial)) ?? study.ask(1)[0];

function timeUp({ study, elapsedMs }: DriveParts): Done | null {
  const { minutes } = study.spec;
  if (minutes === undefined || elapsedMs() < minutes * MINUTE_MS) return null;
  return { reason: 'minutes', words: `the time of ${minutes} min is over` };
}

/** Ends what is under way when the time is over. */
function startTimer({ study: { spec }, elapsedMs }: DriveParts, crew: Crew): NodeJS.Timeout | undefined {
  if (spec.minutes === undefined) return undefined;
  const left = Math.max(0, spec.minutes * MINUTE_MS - elapsedMs());
  return setTimeout(() => crew.stop(), Math.min(LONGEST_TIMER_MS, left + 1));
}

/** Makes one trial and tells the study how it went. */
async function make(context: DriveParts & RunContext, trial: Trial, signal: AbortSignal): Promise<void> {
  const outcome = await outcomeOf(context, trial, signal);
  context.study.tell(trial.id, outcome);
  context.onTold?.(trial, outcome);
}

async function outcomeOf(
  context: DriveParts & RunContext,
  trial: Trial,
  signal: AbortSignal,
): Promise<Outcome> {
  const elapsedMs = () => Math.round(context.elapsedMs());
  try {
    const images = await runTrial(context, trial, signal);
    const pruned = images.length === 0 ? context.early?.prunedOf(trial) : null;
    return { ...(pruned ? { pruned } : { images }), elapsedMs: elapsedMs() };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toAssayError(thrown);
    if (isFatal(error, context)) throw error;
    const { code, message } = error;
    return { failed: { code, message }, elapsedMs: elapsedMs() };
  }
}
