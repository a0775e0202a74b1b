/** Rated images on their way to a scorer: the rows of a ratings file that have an image, and what became of each. */
import { fail } from '../../errors/error.ts';
import type { Outcome } from '../../eval/figures/pairs.ts';
import { findRated } from '../../eval/ratings/images.ts';
import type { Rating, Ratings } from '../../eval/ratings/ratings.ts';
import type { Runtime } from '../../runtime.ts';
import type { ScoreItem } from '../../types/request.ts';
import type { ItemError, ScoreResult } from '../../types/result.ts';
import { scoreAll } from '../open.ts';
import { startProgress } from '../terminal/progress.ts';
import { fileItem } from './images.ts';

/** Scores them with a progress bar; once the signal aborts, what is done comes back. */
export async function scoreItems(
  runtime: Pick<Runtime, 'score'>,
  items: ScoreItem[],
  signal: AbortSignal,
): Promise<ScoreResult[]> {
  const progress = startProgress(items.length, 'scoring');
  const results: ScoreResult[] = [];
  const onResult = (_index: number, result: ScoreResult) => progress.update(results.push(result));
  const itemAt = (index: number) => items[index]!;
  try {
    await scoreAll(runtime, { count: items.length, itemAt, signal, onResult });
  } finally {
    progress.stop();
  }
  return results;
}

/** Lines are unique, names need not be: one image may be rated under several prompts. */
const idOf = (rating: Rating): string => `line-${rating.line}`;

/** The rows that have an image, with its path. */
export function locateRated(ratings: Ratings, folder: string): ReturnType<typeof findRated> {
  const found = findRated(ratings, folder);
  if (found.rows.length > 0) return found;
  const first = ratings.rows[0]!.name;
  const extensions = `${first} and all other names in ${ratings.path}, in it and below it`;
  throw fail('NO_IMAGES', { path: folder, extensions });
}

/** Where the file has no column of prompts, those that the images carry are used. */
export const itemsOf = ({ rows, tellsPrompts }: Ratings, paths: string[]): ScoreItem[] =>
  rows.map((row, i) => ({ ...fileItem(paths[i]!, tellsPrompts ? row.prompt : undefined), id: idOf(row) }));

/** One per row; rows that a stopped run did not reach are left out. */
export function outcomesOf({ rows }: Ratings, results: ScoreResult[], isStopped: boolean): Outcome[] {
  const byId = new Map(results.map((r) => [r.id, r]));
  const outcome = (rating: Rating): Outcome | null => {
    const result = byId.get(idOf(rating));
    if (!result && isStopped) return null;
    if (!result)
      return failed(rating, fail('INTERNAL', { reason: 'the scorer gave no result for this image' }));
    if (result.error) return failed(rating, result.error);
    return { rating: { ...rating, prompt: rating.prompt ?? result.prompt }, result, error: null };
  };
  return rows.map(outcome).filter((o) => o !== null);
}

const failed = (rating: Rating, { code, message }: ItemError): Outcome => ({
  rating,
  result: null,
  error: { code, message },
});
