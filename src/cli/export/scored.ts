/** Images on the command line to rewards by a profile. */

import { fail } from '../../errors/error.ts';
import { ratingsAgree, readRatings } from '../../eval/ratings/ratings.ts';
import { scorerIn } from '../../reward/profile/profiles.ts';
import { rewardsOf } from '../../reward/profile/rewards.ts';
import type { Runtime } from '../../runtime.ts';
import { findPartners } from '../../tables/partners.ts';
import type { PanelRequest, ScoreItem } from '../../types/request.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { RewardResult } from '../../types/reward.ts';
import { inWindow } from '../open.ts';
import { startProgress } from '../terminal/progress.ts';

/** @throws UNKNOWN_PROFILE, UNKNOWN_SCORER, what loading a scorer throws, and the signal's reason */
export async function rewardsFor(
  runtime: Runtime,
  items: ScoreItem[],
  profile: string | undefined,
  signal: AbortSignal,
): Promise<RewardResult> {
  const { config, catalog } = runtime;
  const scorerOf = scorerIn(catalog);
  const panel = (request: PanelRequest) => panelAll(runtime, request);
  const rewards = await rewardsOf({ items, profile, client: 'cli', signal }, { config, scorerOf, panel });
  signal.throwIfAborted();
  return rewards;
}

/** Any number of items, a window of them at a time, each decoded once. */
async function panelAll(
  runtime: Runtime,
  { items, scorers, signal }: PanelRequest,
): Promise<ScoreResult[][]> {
  const rows: ScoreResult[][] = [];
  const names = scorers.map((scorer) => scorer ?? runtime.config.scorer);
  const progress = startProgress(items.length, `scoring (${names.join(', ')})`);
  let done = 0;
  try {
    await inWindow({ count: items.length, signal }, async (index) => {
      const [row] = await runtime.panel({ items: [items[index]!], scorers, client: 'cli', signal });
      rows[index] = row!;
      progress.update(++done);
    });
  } finally {
    progress.stop();
  }
  signal.throwIfAborted();
  return rows;
}

/**
 * What people said of each image: the mean of its rated aspects, in the scale of the table.
 *
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, RATINGS_INVALID
 */
export function ratingsFor(
  table: string,
  paths: readonly string[],
  roots: string[],
): { of: Map<string, number>; notes: string[] } {
  const ratings = readRatings(table);
  const rows = ratings.rows.map((row) => ({ ...row, place: `line ${row.line}` }));
  try {
    const { rowsOf, notes } = findPartners(rows, [...paths], { roots, agree: ratingsAgree });
    const means = [...rowsOf].map(([path, [row]]) => {
      const values = Object.values(row!.mos);
      return [path, values.reduce((sum, value) => sum + value, 0) / values.length] as const;
    });
    return { of: new Map(means), notes: [...ratings.notes, ...notes] };
  } catch (cause) {
    throw fail('RATINGS_INVALID', { path: table, reason: (cause as Error).message }, { cause });
  }
}
