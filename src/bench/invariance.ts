/** Same image, same score: batch sizes, order, threads and runs must not show. */

import type { ModelFolder } from '../reward/model/manifest.ts';
import { openScorer, type Scorer, type ScorerOptions } from '../reward/scorer.ts';
import { testPicture } from './figures.ts';

export interface Invariance {
  images: number;
  /** Largest difference of any score between any two of the ways. */
  largestDifference: number;
}

const SIZE = 384;

async function scoresOf(scorer: Scorer, indexes: number[]): Promise<Map<number, number>> {
  const never = new AbortController().signal;
  const one = async (i: number): Promise<[number, number]> => {
    const pixels = { data: testPicture(SIZE, i), width: SIZE, height: SIZE };
    const { aspects } = await scorer.judge(pixels, 'a picture', never);
    return [i, Object.values(aspects).reduce((sum, a) => sum + (a?.score ?? 0), 0)];
  };
  return new Map(await Promise.all(indexes.map(one)));
}

/** Scores in groups of `size`, one group after the other. */
async function inGroups(scorer: Scorer, indexes: number[], size: number): Promise<Map<number, number>> {
  const all = new Map<number, number>();
  for (let i = 0; i < indexes.length; i += size)
    for (const [key, value] of await scoresOf(scorer, indexes.slice(i, i + size))) all.set(key, value);
  return all;
}

/** Groups of 1, 2, 7 and all, forwards and backwards, with 1 and 2 threads, the first of them twice. */
export async function measureInvariance(
  model: ModelFolder,
  options: ScorerOptions,
  images: number,
): Promise<Invariance> {
  const forwards = Array.from({ length: images }, (_, i) => i);
  const runs: Map<number, number>[] = [];
  for (const threads of [1, 2]) {
    const scorer = await openScorer(model, { ...options, threads });
    for (const size of [1, 1, 2, 7, images]) runs.push(await inGroups(scorer, forwards, size));
    runs.push(await inGroups(scorer, forwards.toReversed(), 5));
    await scorer.close();
  }
  const spreads = forwards.map((i) => {
    const values = runs.map((run) => run.get(i)!);
    return Math.max(...values) - Math.min(...values);
  });
  return { images, largestDifference: Math.max(...spreads) };
}
