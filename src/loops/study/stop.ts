/** When a study is over: a rule a reason. Pure. */
import { counted } from '../../lib/words.ts';
import { figuresOf, workOf } from './pick.ts';
import type { StudySpec } from './spec.ts';
import type { Done, StopReason, TrialState } from './types.ts';
import { expectedGain, LEAST_FIGURES } from './worth.ts';

/** What the rules look at. */
export interface Progress {
  spec: StudySpec;
  /** In the order asked. */
  trials: readonly TrialState[];
  /** Ids of trials whose failure does not count. */
  forgiven: ReadonlySet<string>;
  /** Work asked for that still has no outcome, in trials. */
  open: number;
  /** Work asked for that did not fail, in whole images. */
  spent: number;
  isEnough: boolean;
  /** Whether what is left of the budget is not enough for what comes next. */
  isSpent: boolean;
  /** Whether the strategy has nothing more to try. */
  isExhausted: boolean;
}

/** What a rule says: why the study is over, or null. */
type Rule = (progress: Progress) => string | null;

/** So many one after the other, and it is no chance. */
const MOST_FAILURES = 5;
/** Work is counted in shares that may not add up exactly. */
export const CLOSE = 1e-9;
const MINUTE_MS = 60_000;

const elapsedOf = (trials: readonly TrialState[]): number =>
  trials.reduce((most, { outcome }) => Math.max(most, outcome?.elapsedMs ?? 0), 0);

const sumOf = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Told trials up to the first that is not: what comes later must not depend on which one was faster. */
function prefixOf(trials: readonly TrialState[]): readonly TrialState[] {
  const open = trials.findIndex(({ outcome }) => outcome === null);
  return open < 0 ? trials : trials.slice(0, open);
}

/** The gain that is expected of one more image, in units of the price; null while it cannot be told. */
export function gainOf(
  { pick, keep, price, expected }: StudySpec,
  trials: readonly TrialState[],
): number | null {
  const whole = prefixOf(trials).filter(({ trial }) => trial.stage.effort === 1);
  const figures = figuresOf(whole, pick);
  if (!price || figures.length < Math.max(LEAST_FIGURES, keep)) return null;
  const { gain, spread } = expectedGain(figures, keep, pick.length === 1 ? expected : undefined);
  // What was stopped early cost work, and cannot win.
  const finished = whole.filter(({ outcome }) => outcome && !('pruned' in outcome));
  const share = sumOf(finished.map(workOf)) / sumOf(whole.map(workOf));
  if (price.of === 'score') return gain * share;
  return spread > 0 ? (gain / spread) * share : 0;
}

const keepers: Rule = ({ isEnough, spec }) =>
  isEnough ? `there ${spec.keep === 1 ? 'is' : 'are'} ${counted(spec.keep, 'image')} to keep` : null;

const images: Rule = ({ spec, spent, open, isSpent }) =>
  open === 0 && (isSpent || spent >= spec.images - CLOSE)
    ? `the budget of ${counted(spec.images, 'image')} is spent`
    : null;

const minutes: Rule = ({ spec, trials }) =>
  spec.minutes !== undefined && elapsedOf(trials) >= spec.minutes * MINUTE_MS
    ? `the ${counted(spec.minutes, 'minute')} are over`
    : null;

const notWorthIt: Rule = ({ spec, trials }) => {
  const gain = gainOf(spec, trials);
  if (gain === null || gain >= spec.price!.amount) return null;
  const unit = spec.price!.of === 'spread' ? ' of the spread' : '';
  return `one more image is expected to add ${gain.toPrecision(2)}${unit}, less than its price of ${spec.price!.amount}`;
};

const failures: Rule = ({ trials, forgiven }) => {
  const told = trials.flatMap(({ trial, outcome }) => (outcome && !forgiven.has(trial.id) ? [outcome] : []));
  const last = told.slice(-MOST_FAILURES);
  const failed = last.flatMap((outcome) => ('failed' in outcome ? [outcome.failed] : []));
  if (failed.length < MOST_FAILURES) return null;
  return `the last ${MOST_FAILURES} trials failed: ${failed.at(-1)!.message}`;
};

const exhausted: Rule = ({ isExhausted }) => (isExhausted ? 'there is nothing more to try' : null);

/** In the order in which they are told. */
const RULES: readonly (readonly [StopReason, Rule])[] = [
  ['keepers', keepers],
  ['failures', failures],
  ['minutes', minutes],
  ['not-worth-it', notWorthIt],
  ['images', images],
  ['exhausted', exhausted],
];

export function doneOf(progress: Progress): Done | null {
  for (const [reason, rule] of RULES) {
    const words = rule(progress);
    if (words !== null) return { reason, words };
  }
  return null;
}
