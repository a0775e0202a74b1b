/** `assay eval`: scores rated images and reports how well the scorer agrees with people. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../errors/exit.ts';
import { checkRanges, parseRanges } from '../eval/figures/scale.ts';
import { renderReport } from '../eval/page/report.ts';
import { type Thumbnails, thumbnailsOf } from '../eval/page/thumbnails.ts';
import { predictionsCsv } from '../eval/predictions.ts';
import { fittedNote, readFitted } from '../eval/ratings/fitted.ts';
import { type Ratings, readRatings } from '../eval/ratings/ratings.ts';
import { type Report, summarise } from '../eval/summary.ts';
import { printSummary } from '../eval/terminal.ts';
import { createFolder } from '../lib/folder.ts';
import type { ScoreItem } from '../types/request.ts';
import type { ScoreResult } from '../types/result.ts';
import type { ScorerFlags } from './input/flags.ts';
import { itemsOf, locateRated, outcomesOf, scoreItems } from './input/rated.ts';
import { openFor } from './open.ts';
import { stopSignal } from './process/stop-signal.ts';
import { cannotWrite } from './terminal/out.ts';
import { smallPicture } from './terminal/small-picture.ts';

export interface EvaluateOptions {
  /** Folder of the images; its subfolders are searched too. */
  images: string;
  /** Path of the ratings file. */
  ratings: string;
  /** Id of the scorer that was asked for; the report names it. Choosing it is up to `score`. */
  scorer?: string | undefined;
  /** Folder for the report, made when absent; `assay-eval` by default. */
  out?: string | undefined;
  /** Scales of the ratings where they are not the scorer's: `LOW..HIGH`, or `quality=LOW..HIGH`. */
  range?: string[] | undefined;
  /** `LOW,HIGH`: the same for all aspects. */
  ratingsRange?: string | undefined;
}

export interface EvaluateDeps {
  /**
   * Scores the items, failing them one by one; the results carry the items' ids, in any order. Those that were not
   * reached before the run was stopped are absent.
   */
  score: (items: ScoreItem[]) => Promise<ScoreResult[]>;
  /** Whether the run was stopped: what has no result was not reached then. */
  isStopped?: () => boolean;
  /** What the scorer was fitted to, where its folder tells. */
  fitted?: () => Parameters<typeof fittedNote>[0];
  /** Small pictures for the report, by path; none when absent. */
  thumbnail?: (path: string) => Promise<string | null>;
}

/**
 * Scores the images of a ratings file and writes `report.json`, `report.html` and `predictions.csv`.
 * A row without an image is left out and told; an image that cannot be scored is counted and listed, and the run goes on.
 *
 * @throws USAGE for a bad range, FILE_NOT_FOUND, FILE_UNREADABLE, RATINGS_INVALID, NO_IMAGES when every image is
 *   missing, and what `score` throws for the request as a whole
 * @example const report = await evaluate({ images: 'set', ratings: 'set/mos.csv' }, { score });
 */
export async function evaluate(options: EvaluateOptions, deps: EvaluateDeps): Promise<Report> {
  const ranges = parseRanges(options.range, options.ratingsRange);
  const table = readRatings(options.ratings);
  checkRanges(table, ranges, options.range ? '--range' : '--ratings-range');
  const { rows, paths, notes } = locateRated(table, options.images);
  const ratings = { ...table, rows, notes: [...table.notes, ...notes] };
  const out = options.out ?? 'assay-eval';
  makeFolder(out); // before the long part: a folder that cannot be made should not cost the scores

  const at = Date.now();
  const started = performance.now();
  const results = await deps.score(itemsOf(ratings, paths));
  const scoreSeconds = (performance.now() - started) / 1000;

  const outcomes = outcomesOf(ratings, results, deps.isStopped?.() ?? false);
  const report = summarise({
    ratings: { ...ratings, hasPrompts: outcomes.some((o) => o.rating.prompt !== null) },
    outcomes,
    requested: options.scorer ?? null,
    ranges,
    scoreSeconds,
    at,
    unreached: ratings.rows.length - outcomes.length,
    notes: [...fittedNote(deps.fitted?.() ?? null, outcomes), ...ratings.notes],
  });
  const thumbnails = await picturesFor(report, ratings, paths, deps);
  write(join(out, 'predictions.csv'), predictionsCsv(outcomes));
  write(join(out, 'report.json'), toJson(report));
  write(join(out, 'report.html'), await renderReport(report, outcomes, thumbnails));
  return report;
}

/** Thumbnails of the worst misses, by the names that the report has. */
async function picturesFor(
  report: Report,
  { rows }: Ratings,
  paths: string[],
  { thumbnail }: EvaluateDeps,
): Promise<Thumbnails> {
  if (!thumbnail) return new Map();
  const byName = new Map(rows.map(({ name }, i) => [name, paths[i]!]));
  return thumbnailsOf(report, (name) => {
    const path = byName.get(name);
    return path ? thumbnail(path) : Promise.resolve(null);
  });
}

function makeFolder(path: string): void {
  attempt(path, () => createFolder(path));
}

const write = (path: string, text: string): void => attempt(path, () => writeFileSync(path, text));

function attempt(path: string, action: () => unknown): void {
  try {
    action();
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/** Six decimals tell all there is to tell. JSON has no NaN: what is not a number becomes null. */
const toJson = (report: Report): string =>
  `${JSON.stringify(report, (_, v) => (typeof v === 'number' ? Number(v.toFixed(6)) : v), 2)}\n`;

/** Runs the evaluation with the scorer that the flags choose. Exit code 3 when some images could not be scored. */
export async function runEval(flags: ScorerFlags & EvaluateOptions): Promise<number> {
  const runtime = openFor(flags);
  const { catalog, config } = runtime;
  const { signal, release } = stopSignal();
  const score = (items: ScoreItem[]) => scoreItems(runtime, items, signal);
  try {
    const report = await evaluate(flags, {
      score,
      isStopped: () => signal.aborted,
      fitted: () => readFitted(catalog.find(config.scorer).folder),
      thumbnail: (path) => smallPicture(path, config),
    });
    printSummary(report, (text) => process.stdout.write(text));
    if (signal.aborted) return EXIT.stopped;
    return report.images.failed > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    release();
    await runtime.close();
  }
}
