/** The report as data: what `report.json` holds and what the page and the terminal show. */

import { LEAST_CLUSTERS, LEVEL, RESAMPLES } from '../lib/bootstrap.ts';
import { counted } from '../lib/words.ts';
import { ASPECTS, type Aspect } from '../types/aspect.ts';
import type { ScorerStamp } from '../types/scorer.ts';
import {
  type AspectReport,
  type FigureIntervals,
  type Figures,
  figuresOf,
  intervalsOf,
  LEAST_IMAGES,
  reportAspect,
} from './figures/aspect.ts';
import { type GuardTally, tallyGuards } from './figures/guard-tally.ts';
import { type Outcome, pairUp, predicted, prediction } from './figures/pairs.ts';
import { type Ranges, type Scale, scaleNote, scaleOf } from './figures/scale.ts';
import type { Ratings } from './ratings/ratings.ts';

type PerAspect<T> = Record<Aspect, T | null>;

/** Null stands for what cannot be said of this set; an aspect is null when it was not rated or not predicted. */
export interface Report {
  /** Name of this layout. */
  format: 'assay-eval/1';
  /** File name of the ratings. */
  ratings: string;
  /** Header of the column that was read for each rated aspect. */
  columns: Ratings['columns'];
  /** Unix milliseconds of the evaluation. */
  at: number;
  /** Scorer id that was asked for; null when it was left to the default. */
  requested: string | null;
  /** What did score; null when no image was scored. */
  scorer: ScorerStamp | null;
  images: { rated: number; scored: number; failed: number; unreached: number };
  aspects: PerAspect<Figures>;
  ci: PerAspect<FigureIntervals>;
  /** How well the quality score orders the images by alignment: what an alignment score has to beat. */
  qualityAsAlignment: { figures: Figures; ci: FigureIntervals } | null;
  bootstrap: { level: number; resamples: number; over: 'prompts' | 'images' };
  scales: PerAspect<Scale>;
  generators: PerAspect<AspectReport['generators']>;
  calibration: PerAspect<AspectReport['calibration']>;
  bestOf: PerAspect<AspectReport['bestOf']>;
  worst: PerAspect<AspectReport['worst']>;
  guards: GuardTally;
  failed: { name: string; line: number; code: string; message: string }[];
  timings: { scoreSeconds: number; imagesPerSecond: number | null };
  /** What a reader should know, in sentences. */
  notes: string[];
}

/** What an evaluation run found out. */
export interface Run {
  ratings: Ratings;
  /** One per row of the ratings that was reached. */
  outcomes: Outcome[];
  requested: string | null;
  /** The ratings' own ranges, where they were given. */
  ranges: Ranges;
  /** Rows that were not reached before the run was stopped; `outcomes` leaves them out. */
  unreached: number;
  /** What the run found out beside its figures, in sentences. */
  notes: string[];
  scoreSeconds: number;
  /** Unix milliseconds. */
  at: number;
}

/** Condenses a run to its figures. Pure and deterministic. */
export function summarise(run: Run): Report {
  const { ratings, outcomes } = run;
  const over = ratings.hasPrompts ? ('prompts' as const) : ('images' as const);
  const details = Object.fromEntries(
    ASPECTS.map((a) => [a, detailOf(run, a, over)]),
  ) as PerAspect<AspectReport>;
  const per = <K extends keyof AspectReport>(key: K): PerAspect<AspectReport[K]> => ({
    quality: details.quality?.[key] ?? null,
    alignment: details.alignment?.[key] ?? null,
    authenticity: details.authenticity?.[key] ?? null,
  });
  const scored = outcomes.filter((o) => o.error === null);
  const guards = tallyGuards(outcomes);
  return {
    format: 'assay-eval/1',
    ratings: ratings.path.split(/[\\/]/).at(-1)!,
    columns: ratings.columns,
    at: run.at,
    requested: run.requested,
    scorer: scored.find((o) => o.result.scorer)?.result.scorer ?? null,
    images: {
      rated: outcomes.length + run.unreached,
      scored: scored.length,
      failed: outcomes.length - scored.length,
      unreached: run.unreached,
    },
    aspects: per('figures'),
    ci: per('ci'),
    qualityAsAlignment: standIn(run, over),
    bootstrap: { level: LEVEL, resamples: RESAMPLES, over },
    scales: per('scale'),
    generators: per('generators'),
    calibration: per('calibration'),
    bestOf: per('bestOf'),
    worst: per('worst'),
    guards,
    failed: failuresOf(outcomes),
    timings: {
      scoreSeconds: run.scoreSeconds,
      imagesPerSecond: run.scoreSeconds > 0 ? scored.length / run.scoreSeconds : null,
    },
    notes: notesOf(run, details, guards),
  };
}

/** The figures of one aspect put together again; null when there are none. */
export function aspectReport(report: Report, aspect: Aspect): AspectReport | null {
  const [figures, ci, scale] = [report.aspects[aspect], report.ci[aspect], report.scales[aspect]];
  const [generators, calibration] = [report.generators[aspect], report.calibration[aspect]];
  const [bestOf, worst] = [report.bestOf[aspect], report.worst[aspect]];
  if (!figures || !ci || !scale || !generators || !calibration || !bestOf || !worst) return null;
  return { figures, ci, scale, generators, calibration, bestOf, worst };
}

function detailOf(run: Run, aspect: Aspect, over: 'prompts' | 'images'): AspectReport | null {
  const range = run.ranges[aspect] ?? null;
  const pairs = pairUp(run.outcomes, aspect, aspect, range);
  if (pairs.length === 0) return null;
  const values = run.outcomes.flatMap((o) => o.rating.mos[aspect] ?? []);
  const example = run.outcomes.map((o) => prediction(o, aspect)).find((p) => p !== null)!;
  return reportAspect(pairs, scaleOf(values, example, range), over);
}

function standIn(run: Run, over: 'prompts' | 'images'): Report['qualityAsAlignment'] {
  const pairs = pairUp(run.outcomes, 'alignment', 'quality', run.ranges.alignment ?? null);
  if (pairs.length === 0) return null;
  return { figures: figuresOf(pairs, false), ci: intervalsOf(pairs, over) };
}

const failuresOf = (outcomes: readonly Outcome[]): Report['failed'] =>
  outcomes.flatMap(({ rating: { name, line }, error }) => (error ? [{ name, line, ...error }] : []));

function notesOf(run: Run, details: PerAspect<AspectReport>, guards: GuardTally): string[] {
  const { ratings, outcomes } = run;
  const known = predicted(outcomes);
  const notes: (string | null | false)[] = ASPECTS.flatMap((a) => [
    details[a] && scaleNote(a, details[a].scale),
    details[a] && unratedNote(a, ratings),
    a in ratings.columns && !known.includes(a) && `${a} is rated, but the scorer does not predict it`,
  ]);
  const failed = outcomes.filter((o) => o.error).length;
  const few = Object.values(details).some((d) => d && d.figures.srcc !== null && !d.ci.srcc);
  notes.unshift(
    run.unreached > 0 &&
      `stopped after ${outcomes.length} of ${counted(outcomes.length + run.unreached, 'image')}: the figures are of these`,
    ...run.notes,
  );
  notes.push(
    failed > 0 &&
      `${failed} of ${counted(outcomes.length, 'image')} could not be scored; the figures leave them out`,
    guards.hits.length > 0 &&
      `guards tripped on ${counted(new Set(guards.hits.map((h) => h.name)).size, 'image')}; the figures include their scores`,
    !ratings.hasGenerators && 'no generator column: no figures within generators',
    !ratings.hasPrompts &&
      'no prompt column: intervals are over images, and nothing can be said of best-of-N',
    few &&
      `fewer than ${LEAST_CLUSTERS} ${ratings.hasPrompts ? 'prompts' : 'images'}: no confidence intervals`,
    smallGenerators(details) &&
      `generators with fewer than ${LEAST_IMAGES} images are left out of "within generator"`,
  );
  return notes.filter((n) => typeof n === 'string');
}

function unratedNote(aspect: Aspect, { rows }: Ratings): string | null {
  const unrated = rows.filter((r) => r.mos[aspect] === undefined).length;
  return unrated ? `${unrated} of ${counted(rows.length, 'row')} without ${aspect} rating` : null;
}

const smallGenerators = (details: PerAspect<AspectReport>): boolean =>
  Object.values(details).some((d) => d?.generators.some((g) => g.n < LEAST_IMAGES));
