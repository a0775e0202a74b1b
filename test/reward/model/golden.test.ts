/** Scorers are held against their golden scores before they serve. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WorkerTask } from '../../../src/reward/graph/worker.ts';
import { openCatalog } from '../../../src/reward/model/catalog.ts';
import { tempFolder } from '../../support/files.ts';
import { picture, png } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';

const raw = picture(32, 32);
const bytes = await png(raw);
/** What `brightnessGraph` gives for the picture. */
const truth = raw.data.reduce((sum, value) => sum + value, 0) / raw.data.length / 51;

/** A model whose golden scores are off by so much. */
function modelIn(parent: string, off = 0, change: { image?: string; variant?: string } = {}): string {
  const { image = 'golden/a.png', variant = 'fp32' } = change;
  const quality = { score: truth + off, interval: [truth + off - 1, truth + off + 1], percentile: 0.5 };
  const items = [{ image, prompt: null, expect: { [variant]: { quality } }, tolerance: 0.01 }];
  return writeModel(parent, {
    files: { 'golden/a.png': bytes, 'golden.json': JSON.stringify({ version: 1, items }) },
  });
}

function catalogIn(parent: string, dataDir?: string) {
  const settings = { providers: [], threads: 1, workers: 1, defaultId: 'test-bright', modelDirs: [parent] };
  const catalog = openCatalog({ ...settings, ...(dataDir && { dataDir }) });
  onTestFinished(() => catalog.close());
  return catalog;
}

/** Golden images that the scorer's worker is sent while it is opened; one that is not tested sees a grey one. */
async function goldensOfOpening(parent: string, dataDir?: string): Promise<number> {
  let runs = 0;
  const note = (worker: Worker) => {
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (task: WorkerTask) => {
      const isGolden = task.type === 'run' && task.feeds.image![0]!.data.some((value) => value !== 128);
      if (isGolden) runs++;
      post(task);
    };
  };
  process.on('worker', note);
  try {
    const catalog = catalogIn(parent, dataDir);
    await catalog.open();
    await catalog.close();
    return runs;
  } finally {
    process.off('worker', note);
  }
}

describe('a scorer', () => {
  it('that gives its golden scores serves, and is not tested again by the next start', async () => {
    const parent = tempFolder();
    const dataDir = join(parent, 'data');
    modelIn(parent);
    expect(await goldensOfOpening(parent, dataDir)).toBe(1);
    expect(await goldensOfOpening(parent, dataDir)).toBe(0);
    // Other golden scores, other calibration, other weights: another test.
    modelIn(parent, 0.001);
    expect(await goldensOfOpening(parent, dataDir)).toBe(1);
  });

  it('that does not is not served, and says so', async () => {
    const parent = tempFolder();
    modelIn(parent, 0.1);
    const catalog = catalogIn(parent, join(parent, 'data'));
    const message = expect.stringMatching(
      /test-bright@1\.0\.0 is not served: on cpu .*golden\/a\.png, quality: \d\.\d+ instead of \d\.\d+/,
    );
    await expect(catalog.open()).rejects.toMatchObject({ code: 'GOLDEN_MISMATCH', message });
    expect(catalog.unready()).toEqual(message);
    expect(catalog.list()[0]).toMatchObject({ loaded: false, problem: message });
    await expect(catalog.open()).rejects.toMatchObject({ code: 'GOLDEN_MISMATCH' });
  });

  it.each<[string, (dataDir: string) => void]>([
    ['is garbage', (dir) => writeFileSync(join(dir, 'tested-scorers.json'), '{"version":1,"passed":')],
    [
      'is a folder',
      (dir) => {
        rmSync(join(dir, 'tested-scorers.json'));
        mkdirSync(join(dir, 'tested-scorers.json'));
      },
    ],
    ['is huge', (dir) => writeFileSync(join(dir, 'tested-scorers.json'), ' '.repeat(200_000))],
    [
      'cannot have a folder',
      (dir) => {
        rmSync(dir, { recursive: true });
        writeFileSync(dir, 'a file where the folder should be');
      },
    ],
  ])('is tested again when the memory of it %s', async (_, spoil) => {
    const parent = tempFolder();
    const dataDir = join(parent, 'data');
    modelIn(parent);
    expect(await goldensOfOpening(parent, dataDir)).toBe(1);
    spoil(dataDir);
    expect(await goldensOfOpening(parent, dataDir)).toBe(1);
  });

  it('keeps the memory small', async () => {
    const parent = tempFolder();
    const dataDir = join(parent, 'data');
    mkdirSync(dataDir);
    const path = join(dataDir, 'tested-scorers.json');
    const old = Array.from({ length: 64 }, (_, i) => ({
      key: `old ${i}`,
      scorer: 'x',
      provider: 'cpu',
      at: '',
    }));
    writeFileSync(path, JSON.stringify({ version: 1, passed: old }));
    modelIn(parent);
    await goldensOfOpening(parent, dataDir);
    const { passed } = JSON.parse(readFileSync(path, 'utf8'));
    expect(passed).toHaveLength(64);
    expect(passed.at(-1)).toMatchObject({ scorer: 'test-bright@1.0.0', provider: 'cpu' });
  });

  it.each<[string, (parent: string) => void]>([
    ['no golden.json', (parent) => rmSync(join(modelIn(parent), 'golden.json'))],
    ['no golden scores', (parent) => writeModel(parent)],
    ['golden scores of another variant alone', (parent) => modelIn(parent, 0, { variant: 'fp16' })],
  ])('with %s serves, with a note', async (_, write) => {
    const parent = tempFolder();
    write(parent);
    const catalog = catalogIn(parent);
    await catalog.open();
    expect(catalog.list()[0]).toMatchObject({
      problem: null,
      notes: [expect.stringContaining('not tested')],
    });
  });

  it.each([
    ['an image that is not there', 'golden/b.png', 'MODEL_FILE_MISSING'],
    ['an image outside its folder', '../../a.png', 'MANIFEST_INVALID'],
  ])('whose golden scores name %s is refused', async (_, image, code) => {
    const parent = tempFolder();
    modelIn(parent, 0, { image });
    await expect(catalogIn(parent).open()).rejects.toMatchObject({ code });
  });
});
