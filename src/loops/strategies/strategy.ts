/** What a strategy is: a pure function from what is known to what is tried next. A row of table.ts. */
import type { z } from 'zod';
import type { Axis, StudySpec } from '../study/spec.ts';
import type { Stage, Trial, TrialState, Value } from '../study/types.ts';

/** A trial that has no id yet. */
export type Draft = Omit<Trial, 'id'>;

/** All that a strategy may look at. */
export interface View {
  readonly spec: StudySpec;
  /** In the order in which they were asked for. */
  readonly trials: readonly TrialState[];
  /** Work that may still be asked for, in whole images. */
  readonly left: number;
  /** The n-th seed of the study, from 0. */
  seed(n: number): number;
  /** Numbers of the study's own, the same for the same `key`. */
  random(key: number): () => number;
  /** The value of the trial's best image by the pick; null when it has none, or is not told yet. */
  value(state: TrialState): number | null;
}

export interface Strategy<Options = unknown> {
  /** For people. */
  summary: string;
  options: z.ZodType<Options>;
  /** What the schema cannot see. @throws STUDY_INVALID */
  check?(spec: StudySpec, options: Options): void;
  /** At most `n` trials; none when results must come first, and none at all when it has nothing more to try. */
  next(view: View, options: Options, n: number): Draft[];
  /** Whether enough keepers are there, so that the study is over. */
  isEnough?(view: View, options: Options): boolean;
}

export const FULL: Stage = { name: 'full', effort: 1 };

/** A trial of that seed and those parameters. */
export function draftOf(
  { spec }: View,
  seed: number,
  parameters: Record<string, Value>,
  { stage = FULL, from = null }: { stage?: Stage; from?: string | null } = {},
): Draft {
  const { prompt = spec.prompt } = parameters;
  return { prompt: prompt === null ? null : String(prompt), seed, parameters, stage, from };
}

/** A value of an axis, drawn evenly. */
export function drawn(axis: Axis, random: () => number): Value {
  if ('values' in axis) return axis.values[Math.floor(random() * axis.values.length)]!;
  return placed(axis, axis.low + random() * (axis.high - axis.low));
}

/** A number put onto an axis: inside its ends, and whole where it must be. */
export function placed(axis: { low: number; high: number; whole: boolean }, number: number): number {
  const inside = Math.min(axis.high, Math.max(axis.low, number));
  return axis.whole ? Math.round(inside) : Number(inside.toPrecision(6));
}
