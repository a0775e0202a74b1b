/** `assay calibrate ratings`: fits a judge elsewhere to what people said of images. */
import { basename } from 'node:path';
import { fail } from '../../errors/error.ts';
import { EXIT } from '../../errors/exit.ts';
import { type FigureIntervals, type Figures, figuresOf, intervalsOf } from '../../eval/figures/aspect.ts';
import { type Outcome, type Pair, prediction } from '../../eval/figures/pairs.ts';
import { checkRanges, parseRanges, type Range, rescale } from '../../eval/figures/scale.ts';
import { type Ratings, readRatings } from '../../eval/ratings/ratings.ts';
import { createFolder } from '../../lib/folder.ts';
import { writeWhole } from '../../lib/whole-file.ts';
import { counted } from '../../lib/words.ts';
import { type Fit, fitted, LEAST_RATED, type Said } from '../../reward/fit.ts';
import { VLM_ASPECTS } from '../../reward/vlm/judge.ts';
import {
  calibrationFile,
  calibrationFolder,
  type Reads,
  readStored,
  type Stored,
} from '../../reward/vlm/stored.ts';
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import { type ScorerFlags, usage } from '../input/flags.ts';
import { itemsOf, locateRated, outcomesOf, scoreItems } from '../input/rated.ts';
import { openFor } from '../open.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { cannotWrite } from '../terminal/out.ts';
import { table } from '../terminal/table.ts';

export interface CalibrateRatingsFlags extends ScorerFlags {
  images: string;
  ratings: string;
  range?: string[];
  json?: boolean;
}

/** One image of one aspect, as the judge and people saw it. */
interface Row {
  said: Said;
  outcome: Outcome;
  reads: Reads;
}

/** What came of one aspect. */
interface Report {
  aspect: Aspect;
  fit: Fit;
  /** Correlations of what the judge says, in whose order nothing is fitted; errors and coverage by folds. */
  figures: Figures;
  ci: FigureIntervals;
  /** SRCC within each fold. */
  folds: (number | null)[];
}

const readsOf = ({ distribution }: AspectScore): Reads => (distribution ? 'probabilities' : 'words');

/** What is rated, scored, and worth a score. @throws USAGE for ratings outside of the judge's range */
function rowsOf(outcomes: readonly Outcome[], aspect: Aspect, from: Range | undefined): Row[] {
  return outcomes.flatMap((outcome): Row[] => {
    const score = prediction(outcome, aspect);
    const rated = outcome.rating.mos[aspect];
    if (!score || rated === undefined || outcome.result!.guards.length > 0) return [];
    const { range, raw, spread, distribution } = score;
    if (!from && (rated < range[0] || rated > range[1]))
      throw usage(
        `${aspect} is rated ${rated} in line ${outcome.rating.line}, outside ${range.join('..')}: say the scale, --range ${aspect}=LOW..HIGH`,
      );
    const said: Said = {
      ...{ row: distribution?.probabilities ?? [raw!], raw: raw!, spread },
      mos: from ? rescale(rated, from, range) : rated,
      group: outcome.rating.prompt ?? outcome.rating.name,
    };
    return [{ said, outcome, reads: readsOf(score) }];
  });
}

/** Most answers are read one way; the others are left out. */
function commonReads(rows: readonly Row[]): Reads {
  const words = rows.filter(({ reads }) => reads === 'words').length;
  return 2 * words > rows.length ? 'words' : 'probabilities';
}

/** @returns why there is no calibration of the aspect, for people */
function reportOf(scorer: string, aspect: Aspect, rows: Row[], reads: Reads, over: 'prompts' | 'images') {
  const spec = VLM_ASPECTS[aspect]!;
  const own = rows.filter((row) => row.reads === reads);
  if (own.length < LEAST_RATED)
    return `${aspect}: ${counted(own.length, 'image')} with a rating and a score; at least ${LEAST_RATED} are needed`;
  const said = own.map((row) => row.said);
  const fit = fitted(reads === 'words' ? { ...spec, kind: 'mean' } : spec, said);
  if (!fit) return `${aspect}: what ${scorer} says does not rise with the ratings`;
  const pairs = own.map(({ outcome: { rating }, said: { mos } }, i): Pair => {
    const { name, prompt, generator } = rating;
    return { ...{ name, prompt, generator, mos, guards: [] }, ...fit.foreseen[i]! };
  });
  const plain = pairs.map((pair, i): Pair => ({ ...pair, score: said[i]!.raw }));
  const { rmse, coverage } = figuresOf(pairs, true);
  const folds = [...new Set(fit.folds)].sort().map((fold) => {
    const inside = plain.filter((_, i) => fit.folds[i] === fold);
    return figuresOf(inside, false).srcc;
  });
  const figures = { ...figuresOf(plain, false), rmse, coverage };
  return { aspect, fit, figures, ci: intervalsOf(plain, over), folds };
}

const fixed = (value: number | null): string => value?.toFixed(3) ?? '–';

const known = (folds: Report['folds']) => folds.filter((srcc) => srcc !== null);
const least = (folds: Report['folds']) =>
  known(folds).reduce<number | null>((a, b) => Math.min(a ?? b, b), null);
const most = (folds: Report['folds']) =>
  known(folds).reduce<number | null>((a, b) => Math.max(a ?? b, b), null);

const COLUMNS = [
  { title: 'aspect', value: (r: Report) => r.aspect },
  { title: 'images', value: (r: Report) => String(r.figures.n), align: 'right' as const },
  { title: 'SRCC', value: (r: Report) => fixed(r.figures.srcc), align: 'right' as const },
  { title: '95 %', value: ({ ci: { srcc } }: Report) => srcc?.map(fixed).join(' – ') ?? '' },
  { title: 'in folds', value: ({ folds }: Report) => `${fixed(least(folds))} – ${fixed(most(folds))}` },
  { title: 'PLCC', value: (r: Report) => fixed(r.figures.plcc), align: 'right' as const },
  { title: 'RMSE', value: (r: Report) => fixed(r.figures.rmse), align: 'right' as const },
  {
    title: 'coverage',
    value: (r: Report) => `${Math.round(100 * r.figures.coverage!)} %`,
    align: 'right' as const,
  },
];

function write(path: string, dataDir: string, stored: Stored): void {
  try {
    createFolder(calibrationFolder(dataDir));
    writeWhole(path, `${JSON.stringify(stored)}\n`);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function tell(reports: Report[], notes: string[], path: string, json: boolean | undefined): void {
  const files = { file: path, coverageStated: reports[0]!.fit.calibration.interval.coverage };
  if (json) {
    const aspects = Object.fromEntries(
      reports.map(({ aspect, figures, ci, folds }) => [aspect, { ...figures, ci, folds }]),
    );
    process.stdout.write(`${JSON.stringify({ ...files, aspects, notes })}\n`);
    return;
  }
  process.stdout.write(
    `${table(reports, COLUMNS, process.stdout)}\n\nSRCC and PLCC are of what the judge says; RMSE and coverage, in its range, of images that the curve has not seen (five folds)\n`,
  );
  for (const note of notes) process.stdout.write(`${note}\n`);
  process.stdout.write(`written to ${path}; a daemon that runs reads it at its next start\n`);
}

/** The judge that is meant. @throws USAGE for a scorer that brings its calibration along */
function judgeIn({ judges, scorer }: { judges: object; scorer: string }): string {
  const id = scorer.split('@')[0]!;
  if (Object.hasOwn(judges, id)) return id;
  const known = Object.keys(judges).join(', ') || 'none';
  throw usage(
    `--scorer ${scorer}: expected a judge of the config (${known}); a model folder holds its own calibration`,
  );
}

function outcomesWith(ratings: Ratings, outcomes: Outcome[]) {
  const failed = outcomes.filter(({ error }) => error !== null);
  const guarded = outcomes.filter(({ result }) => result && result.guards.length > 0).length;
  const notes = [
    ...ratings.notes,
    ...(failed.length > 0
      ? [
          `${counted(failed.length, 'image')} could not be scored; the first: ${failed[0]!.error!.message} [${failed[0]!.error!.code}]`,
        ]
      : []),
    ...(guarded > 0 ? [`guards tripped on ${counted(guarded, 'image')}, which are left out`] : []),
  ];
  return { failed, notes };
}

/** @throws USAGE, CALIBRATION_UNFIT, OUTPUT_UNWRITABLE, and what reading ratings throws. Exit code 3 when some images failed */
export async function calibrateRatings(flags: CalibrateRatingsFlags): Promise<number> {
  const ranges = parseRanges(flags.range);
  const ratings = readRatings(flags.ratings);
  checkRanges(ratings, ranges, '--range');
  const runtime = openFor(flags);
  const { signal, release } = stopSignal();
  try {
    const { config, catalog } = runtime;
    const id = judgeIn(config);
    const { rows, paths, notes: found } = locateRated(ratings, flags.images);
    const here = { ...ratings, rows, notes: [...ratings.notes, ...found] };
    const { stamp } = await catalog.open();
    const results = await scoreItems(runtime, itemsOf(here, paths), signal);
    if (signal.aborted) return EXIT.stopped;
    const outcomes = outcomesOf(here, results, false);
    const { failed, notes } = outcomesWith(here, outcomes);
    const sets = ASPECTS.map((aspect) => ({ aspect, rows: rowsOf(outcomes, aspect, ranges[aspect]) }));
    const reads = commonReads(sets.flatMap((set) => set.rows));
    const over = outcomes.some(({ rating }) => rating.prompt !== null) ? 'prompts' : 'images';
    const tried = sets
      .filter(({ aspect }) => aspect in here.columns && VLM_ASPECTS[aspect])
      .map((set) => reportOf(id, set.aspect, set.rows, reads, over));
    const reports = tried.filter((one): one is Report => typeof one !== 'string');
    const faults = tried.filter((one) => typeof one === 'string');
    if (reports.length === 0)
      throw fail('CALIBRATION_UNFIT', {
        scorer: id,
        reason: [...faults, ...notes].join('; ') || 'nothing is rated',
      });
    const path = calibrationFile(config.dataDir, id);
    // What was fitted before to ratings of another aspect goes on.
    const { stored } = readStored(path, stamp.weights);
    const kept = stored?.reads === reads ? stored.aspects : {};
    write(path, config.dataDir, {
      ...{ version: 1, weights: stamp.weights, reads, at: new Date().toISOString() },
      fittedOn: `${reports[0]!.figures.n} images of ${basename(flags.ratings)}`,
      aspects: {
        ...kept,
        ...Object.fromEntries(reports.map(({ aspect, fit }) => [aspect, fit.calibration])),
      },
    });
    tell(reports, [...faults, ...notes], path, flags.json);
    return failed.length > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    release();
    await runtime.close();
  }
}
