/** Golden results: images that ship with a scorer, and the scores that its exporter got for them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../../errors/error.ts';
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import { decode } from '../image/decode.ts';
import type { Scorer } from '../scorer.ts';
import { fileName, type ModelFolder, readModelJson } from './manifest.ts';

const expectation = z.strictObject({
  score: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  percentile: z.number().min(0).max(1),
});

export const goldenSchema = z.strictObject({
  version: z.literal(1),
  items: z.array(
    z.strictObject({
      image: fileName,
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
    [expected.interval[0], found.interval?.[0] ?? Number.NaN],
    [expected.interval[1], found.interval?.[1] ?? Number.NaN],
  ] as const;
  return Math.max(...pairs.map(([a, b]) => Math.abs(a - b)));
}

type GoldenItem = z.infer<typeof goldenSchema>['items'][number];

/** Golden images that the folder ships for a variant. */
function itemsFor(model: ModelFolder, variant: string): GoldenItem[] {
  const { items } = readModelJson(model.folder, model.manifest.golden, goldenSchema);
  return items.filter(({ expect }) => Object.hasOwn(expect, variant));
}

/** Whether there is anything to compare a variant with. @throws MANIFEST_INVALID */
export const hasGolden = (model: ModelFolder, variant: string): boolean =>
  existsSync(join(model.folder, model.manifest.golden)) && itemsFor(model, variant).length > 0;

async function checkItem(model: ModelFolder, scorer: Scorer, item: GoldenItem): Promise<GoldenCheck[]> {
  const { image, prompt, tolerance } = item;
  const path = join(model.folder, image);
  if (!existsSync(path)) throw fail('MODEL_FILE_MISSING', { folder: model.folder, file: image });
  const pixels = await decode({ kind: 'encoded', bytes: readFileSync(path) }, UNLIMITED);
  const { aspects } = await scorer.rehearse(pixels, prompt, AbortSignal.timeout(JUDGE_TIMEOUT_MS));
  return Object.entries(item.expect[scorer.stamp.variant]!).map(([aspect, expected]) => {
    const found = aspects[aspect as Aspect];
    const difference = compare(expected, found);
    return {
      image,
      aspect,
      expected: expected.score,
      found: found?.score ?? null,
      difference,
      ok: difference <= tolerance,
    };
  });
}

const JUDGE_TIMEOUT_MS = 600_000;

/**
 * Scores the golden images of the loaded variant and compares. Where a language model elsewhere is judged by, golden
 * scores are those of the stand-ins. Empty when the folder ships none for it.
 *
 * @param most at most so many images
 * @throws MANIFEST_INVALID, MODEL_FILE_MISSING, and what judging throws
 */
export async function checkGolden(
  model: ModelFolder,
  scorer: Scorer,
  most = Number.POSITIVE_INFINITY,
): Promise<GoldenCheck[]> {
  const items = itemsFor(model, scorer.stamp.variant).slice(0, most);
  const checks: GoldenCheck[] = [];
  for (const item of items) checks.push(...(await checkItem(model, scorer, item)));
  return checks;
}
