/**
 * The core of every search: it says what to try, is told how it went, and says when it is over. It has no clock, draws
 * nothing but from its seed, and touches nothing: the same events make the same study.
 */
import { fail } from '../../errors/error.ts';
import { randomFrom, seedAt } from '../../lib/random.ts';
import type { Draft, Strategy, View } from '../strategies/strategy.ts';
import { STRATEGIES } from '../strategies/table.ts';
import { bestFirst, candidatesOf, workOf } from './pick.ts';
import { type StudySpec, specOf } from './spec.ts';
import { CLOSE, doneOf } from './stop.ts';
import type { Candidate, Done, Outcome, Preview, StudyEvent, Trial, TrialState } from './types.ts';

export interface Study {
  readonly spec: StudySpec;
  /** All trials, in the order asked. */
  readonly trials: readonly TrialState[];
  /**
   * What to try next: at most `n` trials. Fewer, or none, where results must come first or the budget is asked for: see
   * `done`.
   */
  ask(n?: number): Trial[];
  /** @throws TRIAL_UNKNOWN, TRIAL_TOLD; also for one that is told after the end: it is asked for, so it counts */
  tell(id: string, outcome: Outcome): void;
  /** Notes what a preview of an open trial is worth. @throws as `tell` */
  preview(id: string, preview: Preview): void;
  /** Trials that were asked for and not told. */
  open(): Trial[];
  /** Why it is over; null: it is not. What is open then may be told still, or given up. */
  done(): Done | null;
  /** Whole images' worth of work that was asked for and did not fail. */
  spent(): number;
  /** The same of those that were told: what is under way left out. */
  made(): number;
  /** Ends it, for the reason given. Nothing is asked for any more. */
  stop(why: Done): void;
  /** Failures so far do not end it any more: what made them fail may be mended. */
  forgive(): void;
  /** Whole images that have a value, best first; the drafts where there is no whole one. */
  ranking(): Candidate[];
  /** The `keep` best. */
  winners(): Candidate[];
  /** Calls `listener` with every event, before `ask`, `tell` or `stop` returns. What it throws, they throw. */
  onEvent: ((event: StudyEvent) => void) | undefined;
}

/** Distance of two seeds of one study: odd, so that all of the 2^32 come before one comes again. */
const STRIDE = 0x9e37_79b1;

/** The first of them, as far as the budget goes. */
function affordable(drafts: readonly Draft[], budget: number): Draft[] {
  let left = budget;
  const end = drafts.findIndex(({ stage }) => {
    left -= stage.effort;
    return left < -CLOSE;
  });
  return drafts.slice(0, end < 0 ? drafts.length : end);
}

const workIn = (states: readonly TrialState[]): number =>
  states.reduce((sum, state) => sum + workOf(state), 0);

/**
 * Begins a study, or makes one again from its events.
 *
 * @param given as `specSchema` in spec.ts says
 * @throws STUDY_INVALID
 * @example
 * const study = createStudy({ version: 1, seed: 1, images: 8, prompt: 'a cat' });
 * for (let trials = study.ask(1); trials.length > 0; trials = study.ask(1)) await make(trials[0]!);
 */
export function createStudy(given: unknown, events: Iterable<StudyEvent> = []): Study {
  const spec = specOf(given);
  const { name, ...options } = spec.strategy;
  const strategy: Strategy = STRATEGIES[name] as Strategy;
  const states: TrialState[] = [];
  const byId = new Map<string, TrialState>();
  const forgiven = new Set<string>();
  let stopped: Done | null = null;
  /** With nothing open, the strategy was asked and had nothing, or nothing that the budget is enough for. */
  let left: 'nothing' | 'too little' | null = null;

  const add = (trial: Trial): void => {
    const state: TrialState = { trial, outcome: null };
    states.push(state);
    byId.set(trial.id, state);
  };
  const apply = (event: StudyEvent): void => {
    if ('asked' in event) event.asked.forEach(add);
    else if ('told' in event) byId.get(event.told)!.outcome = event.outcome;
    else if ('previewed' in event) {
      const state = byId.get(event.previewed)!;
      state.previews = [...(state.previews ?? []), event.preview];
    } else if ('forgiven' in event) for (const id of event.forgiven) forgiven.add(id);
    else stopped = event.stopped;
  };
  for (const event of events) apply(event);

  const spent = () => workIn(states);
  const openStates = () => states.filter(({ outcome }) => outcome === null);

  const view = (): View => {
    const values = new Map<string, number>();
    for (const { trial, value } of candidatesOf(states, spec.pick))
      values.set(trial.id, Math.max(value, values.get(trial.id) ?? Number.NEGATIVE_INFINITY));
    return {
      spec,
      trials: states,
      left: spec.images - spent(),
      seed: (n) => seedAt(spec.seed, n),
      random: (key) => randomFrom(spec.seed + Math.imul(key, STRIDE)),
      value: ({ trial }) => values.get(trial.id) ?? null,
    };
  };

  const done = (): Done | null =>
    stopped ??
    doneOf({
      ...{ spec, trials: states, forgiven, open: openStates().length, spent: spent() },
      ...{ isSpent: left === 'too little', isExhausted: left === 'nothing' },
      isEnough: strategy.isEnough?.(view(), options) ?? false,
    });

  const study: Study = {
    spec,
    trials: states,
    onEvent: undefined,
    ask(n = 1) {
      if (n < 1 || done()) return [];
      const now = view();
      const drafts = strategy.next(now, options, n);
      const asked = affordable(drafts.slice(0, n), now.left).map((draft, i) => ({
        id: `t${states.length + i + 1}`,
        ...draft,
      }));
      const isOver = asked.length === 0 && openStates().length === 0;
      left = isOver ? (drafts.length > 0 ? 'too little' : 'nothing') : null;
      if (asked.length > 0) happen({ asked });
      return asked;
    },
    tell(id, outcome) {
      checkOpen(id);
      happen({ told: id, outcome });
    },
    preview(id, preview) {
      checkOpen(id);
      happen({ previewed: id, preview });
    },
    open: () => openStates().map(({ trial }) => trial),
    done,
    spent,
    made: () => workIn(states.filter(({ outcome }) => outcome !== null)),
    stop: (why) => happen({ stopped: why }),
    forgive() {
      const failed = states
        .filter(({ outcome }) => outcome && 'failed' in outcome)
        .map(({ trial }) => trial.id);
      const fresh = failed.filter((id) => !forgiven.has(id));
      if (fresh.length > 0) happen({ forgiven: fresh });
    },
    ranking() {
      const whole = states.filter(({ trial }) => trial.stage.effort === 1);
      const found = bestFirst(candidatesOf(whole, spec.pick));
      return found.length > 0 ? found : bestFirst(candidatesOf(states, spec.pick));
    },
    winners: () => study.ranking().slice(0, spec.keep),
  };

  function checkOpen(id: string): void {
    const state = byId.get(id);
    if (!state) throw fail('TRIAL_UNKNOWN', { id, known: states.length });
    if (state.outcome) throw fail('TRIAL_TOLD', { id });
  }

  /** Written down before it counts: an event that could not be kept has not happened. */
  function happen(event: StudyEvent): void {
    study.onEvent?.(event);
    apply(event);
  }
  return study;
}
