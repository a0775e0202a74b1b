/** Images to results, so many and so long that the agent does not give up on the answer. */
import { fail } from '../../errors/error.ts';
import { fewOf } from '../../lib/words.ts';
import { IMAGE_EXTENSIONS } from '../../types/image.ts';
import type { ScoreResult } from '../../types/result.ts';
import { fileItem } from '../input/images.ts';
import { type Failure, findImages } from './found.ts';
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

/** @throws NO_IMAGES where nothing was found and nothing refused, UNKNOWN_SCORER and what `score` throws */
export async function rate({ paths, prompt, scorer, from }: Asked, call: Call): Promise<Rated> {
  const { folders, signal, progress } = call;
  const found = await findImages(paths, folders);
  if (found.paths.length === 0 && found.failures.length === 0)
    throw fail('NO_IMAGES', { path: fewOf(paths), extensions: IMAGE_EXTENSIONS.join(' ') });
  const runtime = call.runtime();
  const until = performance.now() + MOST_MS;
  const rows: Rated['rows'] = [];
  let next = from;
  progress(0, found.paths.length - from);
  while (next < found.paths.length && performance.now() < until) {
    signal.throwIfAborted();
    const some = found.paths.slice(next, next + AT_ONCE);
    const items = some.map((path) => ({ ...fileItem(path, prompt), source: folders.shown(path) }));
    const results = await runtime.score({ items, scorer, client: 'mcp', signal });
    rows.push(...results.map((result, i) => ({ path: some[i]!, result })));
    next += some.length;
    progress(next - from, found.paths.length - from);
  }
  return {
    ...{ rows, failures: found.failures, notes: found.notes, found: found.paths.length },
    next: next < found.paths.length ? next : null,
  };
}
