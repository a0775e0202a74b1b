/** `assay eval`: scores rated images and reports how well the scorer agrees with people. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, fail, reasonOf } from '../errors.ts';
import { imageFinder } from '../eval/images.ts';
import type { Outcome } from '../eval/pairs.ts';
import { predictionsCsv } from '../eval/predictions.ts';
import { type Rating, type Ratings, readRatings } from '../eval/ratings.ts';
import { renderReport } from '../eval/report.ts';
import { checkRange, parseRange } from '../eval/scale.ts';
import { type Report, summarise } from '../eval/summary.ts';
import { printSummary } from '../eval/terminal.ts';
import type { ItemError, ScoreItem, ScoreResult } from '../types.ts';
import type { ScorerFlags } from './flags.ts';
import { readImage } from './images.ts';
import { openPipeline, scoreAll } from './open.ts';
import { startProgress } from './progress.ts';

export interface EvaluateOptions {
  /** Folder of the images; its subfolder `images` is searched too. */
  images: string;
  /** Path of the ratings file. */
  ratings: string;
  /** Id of the scorer that was asked for; the report names it. Choosing it is up to `score`. */
  scorer?: string | undefined;
  /** Folder for the report, made when absent; `assay-eval` by default. */
  out?: string | undefined;
  /** `LOW,HIGH` of the ratings' scale when it is not the scorer's. */
  ratingsRange?: string | undefined;
}

export interface EvaluateDeps {
  /** Scores the items, failing them one by one; the results carry the items' ids, in any order. */
  score: (items: ScoreItem[]) => Promise<ScoreResult[]>;
}

/**
 * Scores the images of a ratings file and writes `report.json`, `report.html` and `predictions.csv`.
 * An image that is missing or cannot be scored is counted and listed, and the run goes on.
 *
 * @throws USAGE for a bad range, FILE_NOT_FOUND, FILE_UNREADABLE, RATINGS_INVALID, NO_IMAGES when every image is
 *   missing, and what `score` throws for the request as a whole
 * @example const report = await evaluate({ images: 'set', ratings: 'set/mos.csv' }, { score });
 */
export async function evaluate(options: EvaluateOptions, deps: EvaluateDeps): Promise<Report> {
  const ratingsRange = options.ratingsRange === undefined ? null : parseRange(options.ratingsRange);
  const ratings = readRatings(options.ratings);
  if (ratingsRange) checkRange(ratings, ratingsRange);
  const paths = locate(ratings, options.images);
  const out = options.out ?? 'assay-eval';
  makeFolder(out); // before the long part: a folder that cannot be made should not cost the scores

  const at = Date.now();
  const started = performance.now();
  const results = await deps.score(itemsOf(ratings, paths));
  const scoreSeconds = (performance.now() - started) / 1000;

  const byId = new Map(results.map((r) => [r.id, r]));
  const outcomes = ratings.rows.map((r, i) => outcomeOf(r, paths[i]!, byId.get(idOf(r)), options.images));
  const report = summarise({
    ratings,
    outcomes,
    requested: options.scorer ?? null,
    ratingsRange,
    scoreSeconds,
    at,
  });
  write(join(out, 'predictions.csv'), predictionsCsv(outcomes));
  write(join(out, 'report.json'), toJson(report));
  write(join(out, 'report.html'), await renderReport(report, outcomes));
  return report;
}

/** Lines are unique, names need not be: one image may be rated under several prompts. */
const idOf = (rating: Rating): string => `line-${rating.line}`;

/** Path of each row's image, null for a missing one. */
function locate(ratings: Ratings, folder: string): (string | null)[] {
  const find = imageFinder(folder);
  const paths = ratings.rows.map((r) => find(r.name));
  if (paths.some((p) => p !== null)) return paths;
  const first = ratings.rows[0]!.name;
  const extensions = `${first} and all other names in ${ratings.path}, in it and in its folder "images"`;
  throw fail('NO_IMAGES', { path: folder, extensions });
}

const itemsOf = ({ rows }: Ratings, paths: (string | null)[]): ScoreItem[] =>
  rows.flatMap((row, i) => {
    const path = paths[i];
    return path ? [{ id: idOf(row), source: path, prompt: row.prompt, fetch: () => readImage(path) }] : [];
  });

function outcomeOf(
  rating: Rating,
  path: string | null,
  result: ScoreResult | undefined,
  folder: string,
): Outcome {
  if (path === null) return failed(rating, fail('FILE_NOT_FOUND', { path: join(folder, rating.name) }));
  if (!result)
    return failed(rating, fail('INTERNAL', { reason: 'the scorer gave no result for this image' }));
  return result.error ? failed(rating, result.error) : { rating, result, error: null };
}

const failed = (rating: Rating, { code, message }: ItemError): Outcome => ({
  rating,
  result: null,
  error: { code, message },
});

function makeFolder(path: string): void {
  attempt(path, () => mkdirSync(path, { recursive: true }));
}

const write = (path: string, text: string): void => attempt(path, () => writeFileSync(path, text));

function attempt(path: string, action: () => unknown): void {
  try {
    action();
  } catch (cause) {
    throw fail('USAGE', { reason: `--out: cannot write ${path}: ${reasonOf(cause)}` }, { cause });
  }
}

/** Six decimals tell all there is to tell. JSON has no NaN: what is not a number becomes null. */
const toJson = (report: Report): string =>
  `${JSON.stringify(report, (_, v) => (typeof v === 'number' ? Number(v.toFixed(6)) : v), 2)}\n`;

/** Runs the evaluation with the scorer that the flags choose. Exit code 3 when some images could not be scored. */
export async function runEval(flags: ScorerFlags & EvaluateOptions): Promise<number> {
  const { catalog, pipeline } = openPipeline(flags);
  const score = (items: ScoreItem[]) => {
    const progress = startProgress(items.length, 'scoring');
    const scored = scoreAll(pipeline, items, new AbortController().signal, (done) => progress.update(done));
    return scored.finally(() => progress.stop());
  };
  try {
    const report = await evaluate(flags, { score });
    printSummary(report, (text) => process.stdout.write(text));
    return report.images.failed > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    await catalog.close();
  }
}
