/** Every image with what was predicted and what people said, as a CSV table for further analysis. */
import { stringify } from 'csv-stringify/sync';
import { ASPECTS, type Aspect } from '../types/aspect.ts';
import { type Outcome, prediction } from './figures/pairs.ts';

type Cell = string | number | null;

/** Columns, in order; MOS as the ratings file has them. */
const COLUMNS = [
  'name',
  'generator',
  'prompt',
  ...ASPECTS.flatMap((a) => [a, `${a}_low`, `${a}_high`, `mos_${a}`]),
  'guards',
  'error',
];

/** One row per rated image; empty cells where nothing was predicted or rated. */
export const predictionsCsv = (outcomes: readonly Outcome[]): string =>
  stringify([COLUMNS, ...outcomes.map(rowOf)]);

function rowOf(outcome: Outcome): Cell[] {
  const { rating, result, error } = outcome;
  return [
    rating.name,
    rating.generator,
    rating.prompt,
    ...ASPECTS.flatMap((a) => cellsOf(outcome, a)),
    result?.guards.map((g) => g.guard).join(' ') ?? null,
    error && `${error.code}: ${error.message}`,
  ];
}

function cellsOf(outcome: Outcome, aspect: Aspect): Cell[] {
  const score = prediction(outcome, aspect);
  const mos = outcome.rating.mos[aspect] ?? null;
  return score
    ? [...[score.score, ...(score.interval ?? [null, null])].map((v) => v && Number(v.toFixed(6))), mos]
    : [null, null, null, mos];
}
