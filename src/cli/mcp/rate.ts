/** Images to results, so many and so long that the agent does not give up on the answer. */
import { fail } from '../../errors/error.ts';
import { counted, fewOf } from '../../lib/words.ts';
import { IMAGE_EXTENSIONS } from '../../types/image.ts';
import type { ScoreResult } from '../../types/result.ts';
import { fileItem } from '../input/images.ts';
import type { Folders } from './folders.ts';
import { type Failure, failureOf } from './found.ts';
import type { Call } from './tool.ts';

/** Images that are asked for at once: between two of them it is seen whether time is left. */
const AT_ONCE = 16;
/** Clients give up on an answer after a minute. */
const MOST_MS = 40_000;

export interface Asked {
  paths: string[];
  prompt?: string | undefined;
  scorer?: string | undefined;
  /** The first image to score, counted from 0. */
  from: number;
}

export interface Rated {
  /** Real path and verdict, in natural order. */
  rows: { path: string; result: ScoreResult }[];
  failures: Failure[];
  notes: string[];
  /** Images that were found in all. */
  found: number;
  /** The first that was left for another call; null when none was. */
  next: number | null;
}

/**
 * @throws NO_IMAGES where nothing was found and nothing refused, BAD_REQUEST for a `from` behind the last, UNKNOWN_SCORER
 *   and what `score` throws
 */
export async function rate({ paths, prompt, scorer, from }: Asked, call: Call): Promise<Rated> {
  const { folders, listings, signal, progress } = call;
  const found = await listings.of(paths, from > 0);
  if (found.paths.length === 0 && found.failures.length === 0)
    throw fail('NO_IMAGES', { path: fewOf(paths), extensions: IMAGE_EXTENSIONS.join(' ') });
  const count = found.paths.length;
  if (count > 0 && from >= count)
    throw fail('BAD_REQUEST', {
      reason: `from: ${from}; the last of ${counted(count, 'image')} is ${count - 1}`,
    });
  const first = Math.min(from, count);
  const runtime = call.runtime();
  const until = performance.now() + MOST_MS;
  const rows: Rated['rows'] = [];
  const failures = [...found.failures];
  let next = first;
  progress(0, count - first);
  while (next < count && performance.now() < until) {
    signal.throwIfAborted();
    const due = found.paths.slice(next, next + AT_ONCE);
    const some = await stillThere(due, folders, failures);
    const items = some.map((path) => ({ ...fileItem(path, prompt), source: folders.shown(path) }));
    const results = await runtime.score({ items, scorer, client: 'mcp', signal });
    rows.push(...results.map((result, i) => ({ path: some[i]!, result })));
    next += due.length;
    progress(next - first, count - first);
  }
  return {
    ...{ rows, failures, notes: found.notes, found: count },
    next: next < count ? next : null,
  };
}

/** They may have been found by an earlier call: what has become a link to elsewhere since is refused all the same. */
async function stillThere(
  paths: readonly string[],
  folders: Folders,
  failures: Failure[],
): Promise<string[]> {
  const there: string[] = [];
  for (const path of paths)
    try {
      there.push(await folders.existing(path));
    } catch (thrown) {
      failures.push(failureOf(folders.shown(path), thrown));
    }
  return there;
}
