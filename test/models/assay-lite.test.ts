/** The embedded scorer as it ships. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeScenes } from '../../examples/demo/scenes.ts';
import { decode } from '../../src/reward/image/decode.ts';
import { BUILT_IN_MODELS } from '../../src/reward/model/catalog.ts';
import { type ModelFolder, readManifest } from '../../src/reward/model/manifest.ts';
import { openScorer, type Scorer } from '../../src/reward/scorer.ts';
import type { Pixels } from '../../src/types/image.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { noise, picture, random } from '../support/images.ts';

const folder = join(BUILT_IN_MODELS, 'assay-lite');
const never = new AbortController().signal;
const limits = { maxImageBytes: 1e8, maxPixels: 1e8, maxSide: 1e5, background: '#ffffff' };
const load = (bytes: Uint8Array): Promise<Pixels> => decode({ kind: 'encoded', bytes }, limits);

let model: ModelFolder;
beforeAll(() => {
  model = readManifest(folder);
});

const open = (threads: number, maxBatch: number, variant?: string): Promise<Scorer> => {
  const { cpuMaxBatch: _, ...manifest } = model.manifest;
  return openScorer(
    { folder, manifest: { ...manifest, maxBatch } },
    { variant, threads, providers: [], workers: 1 },
  );
};

async function scores(
  scorer: Scorer,
  images: Pixels[],
  prompt: string | null = null,
  aspect: 'quality' | 'alignment' = 'quality',
): Promise<number[]> {
  const judged = await Promise.all(images.map((image) => scorer.judge(image, prompt, never)));
  return judged.map((j) => j.aspects[aspect]!.score);
}

describe('assay-lite', () => {
  it('has whole files and the scores that its exporter found', async () => {
    const { code, stdout } = await assay(['models', 'verify', 'assay-lite', '--data-dir', tempFolder()]);
    expect(stdout).toMatch(/int8 +(\d+) of \1 golden scores agree/);
    expect(code).toBe(0);
  });

  it('is small enough to ship, with its card', () => {
    const bytes = Object.keys(model.manifest.files).reduce(
      (sum, file) => sum + statSync(join(folder, file)).size,
      0,
    );
    expect(bytes).toBeLessThan(20e6);
    expect(existsSync(join(folder, model.manifest.card))).toBe(true);
  });

  it('gives one score at batches of 1 to 32, in any order, with 1 and 2 threads', async () => {
    const images = Array.from({ length: 32 }, (_, i) =>
      i % 4 ? picture(200 + i, 240) : noise(256, 256, i + 1),
    );
    const runs: number[][] = [];
    for (const [threads, maxBatch] of [
      [1, 1],
      [1, 5],
      [2, 32],
    ] as const) {
      const scorer = await open(threads, maxBatch);
      runs.push(await scores(scorer, images));
      runs.push((await scores(scorer, images.toReversed(), 'a lake at dusk')).reverse());
      await scorer.close();
    }
    const differences = images.map(
      (_, i) => Math.max(...runs.map((r) => r[i]!)) - Math.min(...runs.map((r) => r[i]!)),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-4);
  }, 90_000);

  it('judges alignment only with a prompt, and by what the prompt says', async () => {
    const [scene] = await writeScenes(tempFolder());
    const image = await load(readFileSync(scene!));
    const scorer = await open(1, 8);
    expect((await scorer.judge(image, null, never)).aspects.alignment).toBeNull();
    const [own] = await scores(scorer, [image], 'a lake at dusk with hills and a low sun', 'alignment');
    const others = ['a portrait of an old man', 'a plate of food on a table', 'a red sports car'];
    for (const prompt of others) {
      const [other] = await scores(scorer, [image], prompt, 'alignment');
      expect(other, prompt).toBeLessThan(own!);
    }
    await scorer.close();
  });

  const spoil: Record<string, (image: () => Sharp, strength: number) => Promise<Buffer>> = {
    blur: (image, strength) => image().blur([1.5, 3, 6][strength]!).png().toBuffer(),
    jpeg: (image, strength) =>
      image()
        .jpeg({ quality: [30, 15, 7][strength]! })
        .toBuffer(),
    async noise(image, strength) {
      const { data, info } = await image().raw().toBuffer({ resolveWithObject: true });
      const next = random(9);
      const normal = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
      const sigma = [15, 35, 70][strength]!;
      const noisy = data.map((v) => Math.max(0, Math.min(255, v + sigma * normal())));
      return sharp(noisy, { raw: { width: info.width, height: info.height, channels: 3 } })
        .png()
        .toBuffer();
    },
  };

  it('rates a clean scene above all its spoilt copies', async () => {
    const [scene] = await writeScenes(tempFolder());
    const bytes = readFileSync(scene!);
    const scorer = await open(1, 8);
    const [clean] = await scores(scorer, [await load(bytes)]);
    for (const [name, make] of Object.entries(spoil)) {
      const copies = await Promise.all([0, 1, 2].map(async (s) => load(await make(() => sharp(bytes), s))));
      for (const score of await scores(scorer, copies)) expect(score, name).toBeLessThan(clean!);
    }
    await scorer.close();
  });
});
