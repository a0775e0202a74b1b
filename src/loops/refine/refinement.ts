/**
 * The core of a refinement: it says what to make, asks for proposals, is told how it went, and ends with a verdict. It
 * has no clock, draws nothing but from its seed, and touches nothing: the same events make the same refinement.
 */
import { fail } from '../../errors/error.ts';
import { seedAt } from '../../lib/random.ts';
import type { History } from '../../types/proposer.ts';
import type { Outcome, Scored, Stage, Trial } from '../study/types.ts';
import { NONE, nextInConfirmation } from './confirm.ts';
import { historyOf } from './history.ts';
import { type Intake, type Refused, sorted } from './intake.ts';
import { idOf, type Place, Scores } from './scores.ts';
import { nextInSearch } from './search.ts';
import { type RefineSpec, refineSpecOf } from './spec.ts';
import type { RefineEvent, Variant, Verdict } from './types.ts';

/** What is to be done next. */
export type Step =
  /** All of them, in any order; what is told already is not among them. */
  | { kind: 'make'; trials: Trial[] }
  | { kind: 'propose'; round: number; history: History }
  | { kind: 'done'; verdict: Verdict };

export interface Refinement {
  readonly spec: RefineSpec;
  /** The original first. */
  readonly variants: readonly Variant[];
  /** What was proposed and not tried. */
  readonly refused: readonly Refused[];
  /** What went wrong with proposals and was survived, for people. */
  readonly notes: readonly string[];
  /** Images made. */
  spent(): number;
  /** Of a variant on the n-th seed, from 0; those from `spec.seeds` on are fresh. */
  imagesOf(variant: Variant, seed: number): readonly Scored[];
  step(): Step;
  /** Takes proposals for the round that `step` has asked for. @param notes for people */
  propose(prompts: readonly string[], notes?: readonly string[]): Intake;
  /** @throws TRIAL_UNKNOWN unless the step asks for it */
  tell(id: string, outcome: Outcome): void;
  /** As proposers are shown it. */
  history(): History;
  /** Ends it. @param words why */
  stop(words: string): void;
  /** Calls `listener` with every event, before it counts. What it throws, they throw. */
  onEvent: ((event: RefineEvent) => void) | undefined;
}

/** Proposals that are asked for in a row for one round, where none can be used. */
const MOST_ASKS = 2;
const MOST_FAILURES = 5;

/** Trials on seeds that variants share while they are chosen from, and on those of the confirmation. */
export const SHARED: Stage = { name: 'shared', effort: 1 };
export const FRESH: Stage = { name: 'fresh', effort: 1 };

/** What of a step is left after an event; undefined where it is to be found out. */
function restOf(now: Step | undefined, event: RefineEvent): Step | undefined {
  if (now?.kind !== 'make' || !('told' in event) || 'failed' in event.outcome) return undefined;
  const trials = now.trials.filter(({ id }) => id !== event.told);
  return trials.length > 0 ? { kind: 'make', trials } : undefined;
}

/**
 * Begins a refinement, or makes one again from its events.
 *
 * @param given as `refineSchema` in spec.ts says
 * @throws STUDY_INVALID
 */
export function createRefinement(given: unknown, events: Iterable<RefineEvent> = []): Refinement {
  const spec = refineSpecOf(given);
  const original: Variant = { id: 'v0', prompt: spec.prompt, round: 0 };
  const variants: Variant[] = [original];
  const rounds: Variant[][] = [];
  const refused: Refused[] = [];
  const notes: string[] = [];
  const scores = new Scores(spec.by);
  let asks = 0;
  let failures = 0;
  /** What the last trial failed of. */
  let failure = '';
  let stopped: string | null = null;
  let now: Step | undefined;

  const trialOf = (place: Place): Trial => ({
    ...{ id: idOf(place), prompt: place.variant.prompt, seed: seedAt(spec.seed, place.seed), parameters: {} },
    ...{ stage: place.seed < spec.seeds ? SHARED : FRESH, from: null },
  });
  const intakeOf = (proposed: readonly string[]): Intake =>
    sorted(
      proposed,
      variants.map(({ prompt }) => prompt),
      spec,
    );

  function take(proposed: readonly string[]): void {
    const intake = intakeOf(proposed);
    refused.push(...intake.refused);
    asks++;
    if (intake.taken.length === 0 && asks < MOST_ASKS) return;
    const round = rounds.length + 1;
    const members = intake.taken.map((prompt, i) => ({ id: `v${variants.length + i}`, prompt, round }));
    variants.push(...members);
    rounds.push(members);
    asks = 0;
  }

  function apply(event: RefineEvent): void {
    now = restOf(now, event);
    if ('proposed' in event) {
      notes.push(...event.notes);
      take(event.proposed);
    } else if ('told' in event) {
      scores.add(event.told, event.outcome);
      failures = 'failed' in event.outcome ? failures + 1 : 0;
      if ('failed' in event.outcome) failure = event.outcome.failed.message;
    } else stopped = event.stopped;
  }
  for (const event of events) apply(event);
  // Whoever makes it again has mended what all trials failed of.
  failures = 0;
  if (scores.spent() === 0) scores.clear();

  /** Written down before it counts: an event that could not be kept has not happened. */
  function happen(event: RefineEvent): void {
    refinement.onEvent?.(event);
    apply(event);
  }

  const make = (places: readonly Place[]): Step => ({ kind: 'make', trials: places.map(trialOf) });
  const history = (): History => historyOf({ spec, scores, original, variants, refused });

  function next(): Step {
    const end = (kind: 'none' | 'stopped', reason: string): Step => {
      const words = kind === 'none' ? NONE : 'stopped before there was a verdict';
      const verdict = { kind, words, reason, prompt: spec.prompt, candidate: null, gain: null };
      return { kind: 'done', verdict };
    };
    if (stopped !== null) return end('stopped', stopped);
    if (failures >= MOST_FAILURES) return end('stopped', `the last ${failures} trials failed: ${failure}`);
    const search = nextInSearch({ spec, scores, original, rounds });
    if ('make' in search) return make(search.make);
    if (scores.spent() === 0) return end('stopped', `no image of the original could be made: ${failure}`);
    if ('propose' in search) return { kind: 'propose', round: search.propose, history: history() };
    if (!search.best) return end('none', `no variant did better than the original; ${search.reason}`);
    const confirmed = nextInConfirmation({ spec, scores, original, candidate: search.best });
    return 'make' in confirmed ? make(confirmed.make) : { kind: 'done', verdict: confirmed };
  }

  const step = (): Step => {
    now ??= next();
    return now;
  };

  const refinement: Refinement = {
    ...{ spec, variants, refused, notes, onEvent: undefined, step, history },
    imagesOf: (variant, seed) => scores.images({ variant, seed }),
    spent: () => scores.spent(),
    propose(prompts, told = []) {
      const intake = intakeOf(prompts);
      happen({ proposed: [...prompts], notes: [...told] });
      return intake;
    },
    tell(id, outcome) {
      const asked = step();
      if (asked.kind !== 'make' || !asked.trials.some((trial) => trial.id === id))
        throw fail('TRIAL_UNKNOWN', { id, known: scores.spent() });
      happen({ told: id, outcome });
    },
    stop: (words) => happen({ stopped: words }),
  };
  return refinement;
}
