/** The default scorer as it ships. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeScenes } from '../../examples/demo/scenes.ts';
import { widened } from '../../src/reward/graph/onnx/widen.ts';
import { openOnnxSession } from '../../src/reward/graph/session.ts';
import { stack } from '../../src/reward/graph/tensor.ts';
import { decode } from '../../src/reward/image/decode.ts';
import { BUILT_IN_MODELS } from '../../src/reward/model/catalog.ts';
import { type ModelFolder, readManifest } from '../../src/reward/model/manifest.ts';
import { openScorer, type Scorer } from '../../src/reward/scorer.ts';
import type { Pixels } from '../../src/types/image.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';

const folder = join(BUILT_IN_MODELS, 'assay-base');
const never = new AbortController().signal;
const limits = { maxImageBytes: 1e8, maxPixels: 1e8, maxSide: 1e5, background: '#ffffff' };
const load = (bytes: Uint8Array): Promise<Pixels> => decode({ kind: 'encoded', bytes }, limits);

let model: ModelFolder;
let scorer: Scorer;
beforeAll(async () => {
  model = readManifest(folder);
  scorer = await openScorer(model, { variant: undefined, threads: 2, providers: ['cpu'], workers: 1 });
});
afterAll(() => scorer?.close());

const judge = (image: Pixels, prompt: string | null = null) => scorer.judge(image, prompt, never);

describe('assay-base', () => {
  it('has whole files and the scores that its exporter found', async () => {
    const { code, stdout } = await assay(['models', 'verify', 'assay-base', '--data-dir', tempFolder()]);
    expect(stdout).toMatch(/int4 +(\d+) of \1 golden scores agree/);
    expect(code).toBe(0);
  });

  it('is at most 64 MB, with its card', () => {
    const bytes = Object.keys(model.manifest.files).map((file) => statSync(join(folder, file)).size);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(64e6);
    expect(existsSync(join(folder, model.manifest.card))).toBe(true);
  });

  it('says on a CPU what it says on a GPU, whose activations keep their bits, to 0.01', async () => {
    const file = join(folder, model.manifest.variants.int4!.graphs.score!);
    const graphs = [file, widened(readFileSync(file), 'float32')!];
    const [eight, float] = await Promise.all(
      graphs.map((graph) =>
        openOnnxSession({
          ...{ scorer: 'x', backend: 'onnx', graph, gpuGraph: graph, halfGraph: undefined },
          ...{ providers: ['cpu'], threads: 1 },
        }),
      ),
    );
    for (const name of ['scene', 'texture', 'wide']) {
      const image = await load(readFileSync(join(folder, 'golden', `${name}.png`)));
      const { score } = await scorer.feeds(image, 'a lake at dusk', never);
      const batch = Object.fromEntries(Object.entries(score!).map(([input, one]) => [input, stack([one])]));
      const [here, there] = await Promise.all([eight!.run(batch), float!.run(batch)]);
      for (const aspect of ['quality', 'alignment']) {
        const off = (here[aspect]!.data[0]! as number) - (there[aspect]!.data[0]! as number);
        expect(off, `${name} ${aspect}`).not.toBe(0);
        expect(Math.abs(off), `${name} ${aspect}`).toBeLessThan(0.01);
      }
    }
    await Promise.all([eight!.release(), float!.release()]);
  }, 90_000);

  it('lets the prompt move alignment and reward', async () => {
    const [scene] = await writeScenes(tempFolder());
    const image = await load(readFileSync(scene!));
    const own = await judge(image, 'a lake at dusk with hills and a low sun');
    for (const prompt of ['a portrait of an old man', 'a plate of food on a table', 'a red sports car']) {
      const other = await judge(image, prompt);
      expect(other.aspects.alignment!.score, prompt).toBeLessThan(own.aspects.alignment!.score - 0.1);
      expect(other.reward!, prompt).toBeLessThan(own.reward! - 0.03);
      expect(other.aspects.quality!.score).toBeCloseTo(own.aspects.quality!.score, 3);
    }
    expect((await judge(image)).aspects.alignment).toBeNull();
  });

  it('sees the whole of a wide image', async () => {
    const [scene] = await writeScenes(tempFolder());
    const width = 512;
    const wide = (colour: string) =>
      sharp(scene!).extend({ left: width, right: width, background: colour }).png().toBuffer().then(load);
    const [green, red] = [await judge(await wide('#00ff00')), await judge(await wide('#ff0000'))];
    expect(Math.abs(green.aspects.quality!.score - red.aspects.quality!.score)).toBeGreaterThan(0.01);
  });

  it('accepts the good scene of the demo and none of its damaged copies, and says why', async () => {
    const scenes = await writeScenes(tempFolder());
    const args = ['score', ...scenes, '--format', 'jsonl', '--data-dir', tempFolder()];
    const { stdout } = await assay([...args, '--scorer', 'assay-base']);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [good, ...spoilt] = results.filter((result) => result.error === null);
    expect(good.decision).toBe('accept');
    expect(spoilt.length).toBeGreaterThan(4);
    for (const { decision, reasons, source } of spoilt) {
      expect(decision, source).not.toBe('accept');
      expect(reasons.length, source).toBeGreaterThan(0);
    }
  }, 90_000);
});
