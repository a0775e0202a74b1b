/** Golden results: images that ship with a scorer, and the scores that its exporter got for them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ASPECTS, type AspectScore } from '../types.ts';
import { decode } from './decode.ts';
import { type ModelFolder, readModelJson } from './manifest.ts';
import type { Scorer } from './scorer.ts';

const expectation = z.strictObject({
  score: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  percentile: z.number().min(0).max(1),
});

export const goldenSchema = z.strictObject({
  version: z.literal(1),
  items: z.array(
    z.strictObject({
      image: z.string(),
      prompt: z.string().nullable(),
      expect: z
        .record(z.string(), z.partialRecord(z.enum(ASPECTS), expectation))
        .describe('by variant, by aspect'),
      tolerance: z.number().min(0).describe('largest difference of a score'),
    }),
  ),
});

type Expectation = z.infer<typeof expectation>;

/** One comparison of a golden score with what this machine computes. */
export interface GoldenCheck {
  image: string;
  aspect: string;
  expected: number;
  found: number | null;
  /** Largest difference of score and interval ends. */
  difference: number;
  ok: boolean;
}

const UNLIMITED = { maxImageBytes: 2 ** 30, maxPixels: 1e9, maxSide: 65_535, background: '#ffffff' };

function compare(expected: Expectation, found: AspectScore | null): number {
  if (!found) return Number.POSITIVE_INFINITY;
  const pairs = [
    [expected.score, found.score],
    [expected.interval[0], found.interval[0]],
    [expected.interval[1], found.interval[1]],
  ] as const;
  return Math.max(...pairs.map(([a, b]) => Math.abs(a - b)));
}

/** Scores the golden images of the loaded variant and compares. Empty when the folder ships none for it. */
export async function checkGolden(model: ModelFolder, scorer: Scorer): Promise<GoldenCheck[]> {
  const golden = readModelJson(model.folder, model.manifest.golden, goldenSchema);
  const checks: GoldenCheck[] = [];
  for (const item of golden.items) {
    const bytes = readFileSync(join(model.folder, item.image));
    const pixels = await decode({ kind: 'encoded', bytes }, UNLIMITED);
    const { aspects } = await scorer.judge(pixels, item.prompt, AbortSignal.timeout(60_000));
    for (const [aspect, expected] of Object.entries(item.expect[scorer.stamp.variant] ?? {})) {
      const found = aspects[aspect as keyof typeof aspects];
      const difference = compare(expected, found);
      const ok = difference <= item.tolerance;
      checks.push({
        image: item.image,
        aspect,
        expected: expected.score,
        found: found?.score ?? null,
        difference,
        ok,
      });
    }
  }
  return checks;
}
