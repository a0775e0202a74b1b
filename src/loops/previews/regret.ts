/** What stopping early has spared in a study and what it may have lost, as the trials tell that went on all the same. Pure. */
import { bootstrap, clusterIds, type Interval } from '../../lib/bootstrap.ts';
import { counted } from '../../lib/words.ts';
import { bestFirst, candidatesOf, workOf } from '../study/pick.ts';
import type { StudySpec } from '../study/spec.ts';
import type { TrialState } from '../study/types.ts';
import { stopOf } from './worth.ts';

export interface Regret {
  /** Trials that were stopped early. */
  pruned: number;
  /** Work that this has spared, in whole images. */
  spared: number;
  /** About the time that this took, by what the study has taken for the work that was done. */
  sparedMs: number;
  /** Work that was done. */
  made: number;
  /** Trials that were to be stopped and went on to the end, as a check or because the host was faster. */
  checked: number;
  /** How many of these are better than the best of the others. */
  better: number;
  /** The same as a share of them, with a 95 % interval; null without any. */
  often: { share: number; interval: Interval } | null;
  /** By how much the best of those that were stopped is expected to be above the winner; null without any check. */
  loss: { value: number; interval: Interval | null } | null;
}

/** Of a normal distribution, 95 %. */
const Z = 1.959_963_985;

/** @see E. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927 */
function wilson(hits: number, n: number): Interval {
  const share = hits / n;
  const middle = (share + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const half = (Z / (1 + Z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** Mean of the largest of `draws` drawn from these, which are 0 or more; each counts `weights[i]` times. */
function largestOf(excess: readonly number[], weights: ArrayLike<number>, draws: number): number {
  const rows = excess
    .map((value, i) => ({ value, weight: weights[i]! }))
    .toSorted((a, b) => a.value - b.value);
  const total = rows.reduce((sum, { weight }) => sum + weight, 0);
  let [upTo, before, mean] = [0, 0, 0];
  for (const { value, weight } of rows) {
    upTo += weight / total;
    const chance = Math.min(1, upTo) ** draws;
    mean += value * (chance - before);
    before = chance;
  }
  return mean;
}

/** @returns null where no preview was looked at */
export function regretOf(
  all: readonly TrialState[],
  { pick, keep }: Pick<StudySpec, 'pick' | 'keep'>,
): Regret | null {
  const trials = all.filter(({ trial }) => trial.stage.effort === 1);
  if (trials.every(({ previews }) => previews === undefined)) return null;
  const stopped = trials.filter(({ outcome }) => outcome && 'pruned' in outcome);
  const values = new Map<string, number>();
  for (const { trial, value } of bestFirst(candidatesOf(trials, pick)))
    if (!values.has(trial.id)) values.set(trial.id, value);
  const of = (states: readonly TrialState[]) => states.flatMap(({ trial }) => values.get(trial.id) ?? []);
  const checked = of(trials.filter((state) => stopOf(state) !== undefined));
  const others = of(trials.filter((state) => stopOf(state) === undefined)).toSorted((a, b) => b - a);
  const best = others[0] ?? Number.NEGATIVE_INFINITY;
  const better = checked.filter((value) => value > best).length;
  const spared = stopped.reduce((sum, state) => sum + state.trial.stage.effort - workOf(state), 0);
  const made = all.reduce((sum, state) => sum + (state.outcome ? workOf(state) : 0), 0);
  const elapsedMs = Math.max(...all.map(({ outcome }) => outcome?.elapsedMs ?? 0));
  return {
    pruned: stopped.length,
    ...{ spared, made, sparedMs: made > 0 ? Math.round((elapsedMs / made) * spared) : 0 },
    checked: checked.length,
    better,
    often:
      checked.length > 0
        ? { share: better / checked.length, interval: wilson(better, checked.length) }
        : null,
    loss: others.length >= keep && checked.length > 0 ? lossOf(checked, best, stopped.length) : null,
  };
}

function lossOf(checked: readonly number[], best: number, draws: number): Regret['loss'] {
  const excess = checked.map((value) => Math.max(0, value - best));
  const statistic = (weights: ArrayLike<number>) => largestOf(excess, weights, draws);
  const [interval] = bootstrap(clusterIds(excess.map((_, i) => i)), [statistic]);
  return { value: statistic(excess.map(() => 1)), interval: interval ?? null };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** For people, a sentence an entry. */
export function regretWords(
  { pruned, spared, sparedMs, made, checked, better, often, loss }: Regret,
  by: string,
): string[] {
  const share = spared / (spared + made);
  const saved = `${counted(pruned, 'trial')} stopped early, which spared ${spared.toFixed(1)} images' worth of work (${percent(share)}, about ${Math.round(sparedMs / 1000)} s).`;
  if (!often)
    return [saved, 'None of them went on as a check, so that it is not known what they would have come to.'];
  const [low, high] = often.interval.map(percent) as [string, string];
  const check = `Of ${counted(checked, 'trial')} that went on in spite of their previews, ${better} came to more than the best of the others: ${percent(often.share)} (${low} to ${high}).`;
  if (!loss || pruned === 0) return [saved, check];
  const value = loss.value.toFixed(3);
  const ends = loss.interval
    ? `${loss.interval[0].toFixed(3)} to ${loss.interval[1].toFixed(3)}`
    : 'too few for an interval';
  return [
    saved,
    check,
    `The best of those stopped is expected to be ${value} (${ends}) above the winner by ${by}.`,
  ];
}
