/** Drives a refinement: has its trials made and judged, asks for proposals, and goes on with what there is. */
import { AssayError, fail, toAssayError } from '../../errors/error.ts';
import type { Proposer } from '../../types/proposer.ts';
import type { Outcome, Scored, Trial } from '../study/types.ts';
import type { Intake } from './intake.ts';
import type { Refinement } from './refinement.ts';
import type { Verdict } from './types.ts';

export interface RefineParts {
  refinement: Refinement;
  proposer: Proposer;
  /**
   * Makes the images of a trial and has them judged by the original prompt.
   *
   * @throws AssayError: those of the trial alone (`RUN_…`, `IMAGE_…`) fail it, all others end the refinement
   */
  make(trial: Trial, signal: AbortSignal): Promise<readonly Scored[]>;
  /** Time that it has taken, in milliseconds. */
  elapsedMs(): number;
  onTold?(trial: Trial, outcome: Outcome): void;
  onProposed?(round: number, intake: Intake, notes: readonly string[]): void;
  /** Trials at once: one runs, and the next one waits, so that the host never does. */
  depth?: number;
}

const DEPTH = 2;

/** Errors that other trials may be spared. */
const isOfTrial = ({ code }: AssayError): boolean => /^(RUN_|IMAGE_|PROMPT_LOST$)/.test(code);

/**
 * Runs until there is a verdict or the signal aborts.
 *
 * @returns null when the signal ended it
 * @throws what `make` throws, and an error of the proposer where nothing was tried yet
 */
export async function refine(parts: RefineParts, signal: AbortSignal): Promise<Verdict | null> {
  const { refinement } = parts;
  try {
    for (;;) {
      signal.throwIfAborted();
      const step = refinement.step();
      if (step.kind === 'done') return step.verdict;
      if (step.kind === 'make') await makeAll(parts, step.trials, signal);
      else await propose(parts, step, signal);
    }
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** All of a step, some at once. What fails ends the others. */
async function makeAll(parts: RefineParts, trials: readonly Trial[], signal: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const stop = AbortSignal.any([signal, ending.signal]);
  const left = [...trials];
  const lane = async (): Promise<void> => {
    for (let trial = left.shift(); trial; trial = left.shift()) await makeOne(parts, trial, stop);
  };
  const lanes = Array.from({ length: Math.min(parts.depth ?? DEPTH, left.length) }, () =>
    lane().catch((error) => {
      ending.abort(error);
      throw error;
    }),
  );
  const ended = await Promise.allSettled(lanes);
  signal.throwIfAborted();
  const failed = ended.find((lane) => lane.status === 'rejected');
  if (failed) throw ending.signal.reason;
}

async function makeOne(parts: RefineParts, trial: Trial, signal: AbortSignal): Promise<void> {
  const outcome = await outcomeOf(parts, trial, signal);
  // Others may have ended it meanwhile: too many failures in a row.
  if (parts.refinement.step().kind === 'done') return;
  parts.refinement.tell(trial.id, outcome);
  parts.onTold?.(trial, outcome);
}

async function outcomeOf(parts: RefineParts, trial: Trial, signal: AbortSignal): Promise<Outcome> {
  const elapsedMs = () => Math.round(parts.elapsedMs());
  try {
    return { images: await parts.make(trial, signal), elapsedMs: elapsedMs() };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toAssayError(thrown);
    if (!isOfTrial(error)) throw error;
    return { failed: { code: error.code, message: error.message }, elapsedMs: elapsedMs() };
  }
}

type Asked = Extract<ReturnType<Refinement['step']>, { kind: 'propose' }>;

/** A proposer that fails costs its round; without a first one there is nothing to go on with. */
async function propose(parts: RefineParts, { round, history }: Asked, signal: AbortSignal): Promise<void> {
  const { refinement, proposer } = parts;
  const { value, critique } = history.attempts[0]!;
  if (value === null)
    throw fail('MEASURE_MISSING', { measure: history.measure, reason: critique || 'nothing was measured' });
  const take = (prompts: readonly string[], notes: readonly string[]): void => {
    const intake = refinement.propose(prompts, notes);
    parts.onProposed?.(round, intake, notes);
  };
  try {
    const { prompts, notes } = await proposer.propose(history, refinement.spec.variants, signal);
    take(prompts, notes);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AssayError) || refinement.variants.length === 1) throw error;
    take([], [`${error.message} [${error.code}]`]);
  }
}
