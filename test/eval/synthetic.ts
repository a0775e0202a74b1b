/** A made-up rated set and a made-up scorer whose error is known. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { randomFrom } from '../../src/lib/random.ts';
import type { Aspect, AspectScore } from '../../src/types/aspect.ts';
import type { ScoreItem } from '../../src/types/request.ts';
import type { ScoreResult } from '../../src/types/result.ts';
import { tempFolder } from '../support/files.ts';

export interface SyntheticRow {
  name: string;
  generator: string;
  prompt: string;
  mos_quality: number;
  mos_align: number;
}

const GENERATORS = ['alpha_normal', 'alpha_lowstep', 'beta_normal', 'gamma_<b>bold</b>'];

/** `prompts` × 4 rows: generators differ in quality, images within them too. MOS in 0..5. */
export function syntheticRows(prompts: number): SyntheticRow[] {
  const random = randomFrom(42);
  return Array.from({ length: prompts }, (_, p) =>
    GENERATORS.map((generator, g) => ({
      name: `p${p}_g${g}.png`,
      generator,
      prompt: `a "quoted" <script>alert(${p})</script> & cat, number ${p}`,
      mos_quality: Number((0.5 + g * 0.8 + random() * 2).toFixed(4)),
      mos_align: Number((random() * 5).toFixed(4)),
    })),
  ).flat();
}

/** Writes rows as ratings and an (empty) file for each name. */
export function writeSet(rows: object[], names: string[]): { images: string; ratings: string; out: string } {
  const folder = tempFolder();
  const images = join(folder, 'images');
  mkdirSync(images);
  for (const name of names) writeFileSync(join(images, name), name);
  const ratings = join(folder, 'ratings.csv');
  writeFileSync(ratings, stringify(rows, { header: true }));
  return { images: folder, ratings, out: join(folder, 'out') };
}

export const aspectScore = (score: number, half = 0.8): AspectScore => ({
  score,
  range: [0, 5],
  percentile: 0.5,
  interval: [Math.max(0, score - half), Math.min(5, score + half)],
  coverage: 0.9,
});

export const scoredResult = (id: string, aspects: Partial<Record<Aspect, AspectScore>>): ScoreResult => ({
  id,
  source: null,
  sha256: 'ab'.repeat(32),
  width: 512,
  height: 512,
  prompt: null,
  promptSource: null,
  scorer: { id: 'fake', version: '1.2.3', variant: 'fp32', weights: 'sha256:aa', calibration: 'sha256:bb' },
  aspects: { quality: null, alignment: null, authenticity: null, ...aspects },
  reward: 0.5,
  guards: [],
  decision: 'accept',
  reasons: [],
  notes: [],
  timings: { decodeMs: 1, queueMs: 0, inferMs: 1, totalMs: 2 },
  error: null,
});

export const failedResult = (id: string, code: string, message: string): ScoreResult => ({
  ...scoredResult(id, {}),
  sha256: null,
  width: null,
  height: null,
  scorer: null,
  aspects: null,
  reward: null,
  decision: null,
  timings: null,
  error: { code, message },
});

type Row = Pick<SyntheticRow, 'name' | 'mos_quality'>;
export type ScoreFunction = (items: ScoreItem[]) => Promise<ScoreResult[]>;

/** Scores by the file's bytes, which hold its name: quality is the MOS plus uniform noise of ±`noise`. */
export function noisyScorer(rows: readonly Row[], noise: number): ScoreFunction {
  const mos = new Map(rows.map((r) => [r.name, r.mos_quality]));
  const random = randomFrom(7);
  return async (items) => {
    const results: ScoreResult[] = [];
    for (const item of items) {
      const input = await item.fetch(new AbortController().signal);
      const quality = mos.get(Buffer.from(input.bytes).toString())!;
      const score = Math.max(0, Math.min(5, quality + (random() * 2 - 1) * noise));
      results.push(scoredResult(item.id, { quality: aspectScore(score) }));
    }
    return results;
  };
}
