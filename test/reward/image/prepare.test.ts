/** What a scorer feeds its graphs with, made by exact kernels, and that others are not held up by it. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toAssayError } from '../../../src/errors/error.ts';
import { createPreparer } from '../../../src/reward/image/prepare.ts';
import { makeView, makeWindows } from '../../../src/reward/image/views.ts';
import { type Catalog, openCatalog } from '../../../src/reward/model/catalog.ts';
import type { ImageSpec, Manifest } from '../../../src/reward/model/manifest.ts';
import { openScorer, type Scorer } from '../../../src/reward/scorer.ts';
import type { Pixels } from '../../../src/types/image.ts';
import { tempFolder } from '../../support/files.ts';
import { noise, type Raw } from '../../support/images.ts';
import { brightnessGraph, type TestModel, writeModel } from '../../support/models.ts';
import type { Graph } from '../../support/onnx.ts';

const SIDE = 32;

const viewed = (image: Partial<ImageSpec>): TestModel => ({
  edit: (m) => void Object.assign(m.image, image),
});

/** Quality: the mean of the whole ÷ 51, and nothing of the windows. */
const windowsGraph: Graph = {
  inputs: { image: ['uint8', ['n', 3, SIDE, SIDE, 3]], whole: ['float32', ['n', SIDE, SIDE, 3]] },
  outputs: { quality: ['float32', ['n', 1]] },
  constants: { column: { dims: [2], ints: [-1, 1] }, scale: { dims: [], floats: [1 / 51] } },
  nodes: [
    { op: 'ReduceMean', inputs: ['whole'], outputs: ['mean'], attributes: { axes: [1, 2, 3], keepdims: 0 } },
    { op: 'Mul', inputs: ['mean', 'scale'], outputs: ['score'] },
    { op: 'Reshape', inputs: ['score', 'column'], outputs: ['quality'] },
  ],
};

const PLAN = { count: 3, stride: 8, largeStride: 16, largeSide: 1024, enlargeTo: 64 };

const windowed = (plan: Partial<typeof PLAN> = {}): TestModel => ({
  graph: windowsGraph,
  edit(m: Manifest) {
    const windows = { ...PLAN, ...plan, whole: 'whole' };
    Object.assign(m.image, { resize: 'windows', kernel: 'pillow-linear', windows });
    m.aspects.quality = { output: 'quality', kind: 'mean', range: [0, 5], needsPrompt: false };
  },
});

const SETTINGS = { providers: [], threads: 1, workers: 1 };

function catalogOf(model: TestModel): Catalog {
  const parent = tempFolder();
  writeModel(parent, model);
  const catalog = openCatalog({ ...SETTINGS, modelDirs: [parent], defaultId: 'test-bright' });
  onTestFinished(() => catalog.close());
  return catalog;
}

const soon = () => AbortSignal.timeout(20_000);

/** What the only graph of the scorer is fed with: the numbers of each of its inputs. */
async function fed(scorer: Scorer, pixels: Pixels): Promise<Record<string, unknown>> {
  const { score } = await scorer.feeds(pixels, null, soon());
  return Object.fromEntries(Object.entries(score!).map(([name, { data }]) => [name, data]));
}

/** The same pixels as a part of a larger buffer, as they come out of a message. */
function within(raw: Raw): { pixels: Pixels; message: Uint8Array } {
  const message = new Uint8Array(raw.data.length + 100).fill(9);
  message.set(raw.data, 60);
  return { pixels: { ...raw, data: message.subarray(60, 60 + raw.data.length) }, message };
}

const SIZES = [
  [SIDE, SIDE],
  [50, 40],
  [90, 200],
] as const;

describe('an image', () => {
  const fits = (['stretch', 'cover', 'contain'] as const).flatMap((resize) =>
    (['pillow-cubic', 'pillow-linear', 'torch-linear'] as const).map((kernel) => ({ resize, kernel })),
  );

  it.each(fits)('is what $kernel makes of it with $resize, and stays as it was', async (fit) => {
    const scorer = await catalogOf(viewed(fit)).open();
    for (const [width, height] of SIZES) {
      const { pixels, message } = within(noise(width, height));
      const before = message.slice();
      const view = makeView(noise(width, height), { width: SIDE, height: SIDE, ...fit });
      expect(await fed(scorer, pixels)).toEqual({ image: Uint8Array.from(view, Math.round) });
      expect(message).toEqual(before);
    }
  });

  it('is scaled where the graph takes floats', async () => {
    const image = { ...brightnessGraph, inputs: { image: ['float32', ['n', SIDE, SIDE, 3]] } } as Graph;
    const spec = { kernel: 'pillow-cubic', dtype: 'float32', scale: 2, offset: [1, 2, 3] } as const;
    const scorer = await catalogOf({ ...viewed({ ...spec, offset: [1, 2, 3] }), graph: image }).open();
    const view = makeView(noise(70, 60), {
      width: SIDE,
      height: SIDE,
      resize: 'stretch',
      kernel: spec.kernel,
    });
    const scaled = Float32Array.from(view, (value, i) => value * 2 + spec.offset[i % 3]!);
    expect(await fed(scorer, noise(70, 60))).toEqual({ image: scaled });
  });

  it('is the windows of it and the whole, enlarged or not, and stays as it was', async () => {
    const scorer = await catalogOf(windowed()).open();
    for (const [width, height] of SIZES) {
      const { pixels, message } = within(noise(width, height));
      const before = message.slice();
      const made = makeWindows(noise(width, height), { width: SIDE, height: SIDE, whole: true, ...PLAN });
      expect(await fed(scorer, pixels)).toEqual({ image: made.windows, whole: made.whole });
      expect(message).toEqual(before);
    }
  });

  it.each([
    ['at its own size', 1, 20],
    ['enlarged', 24, 20],
  ])('that no window fits into, %s, fails with the reason', async (_, enlargeTo, side) => {
    // No manifest that is accepted asks for this.
    const preparer = createPreparer();
    onTestFinished(() => preparer.close());
    const { image } = catalogOf(windowed()).find().manifest;
    const spec = { ...image, windows: { ...image.windows!, enlargeTo } };
    const error = await preparer.prepare(noise(side, side), spec, soon()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RangeError);
    expect(toAssayError(error)).toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(/no window of 32×32 fits into 2\d×2\d pixels/),
    });
  });
});

/** Mean of all bytes ÷ 51, as the graph computes it from the view. */
const brightness = ({ data, width, height }: Raw): number => {
  const spec = { width: SIDE, height: SIDE, resize: 'stretch', kernel: 'pillow-cubic' } as const;
  const view = makeView({ data, width, height }, spec) as Uint8Array;
  return view.reduce((sum, value) => sum + value, 0) / view.length / 51;
};

describe('many images', () => {
  const open = () => catalogOf(viewed({ kernel: 'pillow-cubic' }));
  const judge = async (scorer: Scorer, raw: Raw, signal = soon()) =>
    (await scorer.judge(raw, null, signal)).aspects.quality!.score;
  /** Noise in ever brighter parts of the scale. */
  const images = Array.from({ length: 10 }, (_, i): Raw => {
    const raw = noise(200, 150, i + 1);
    return { ...raw, data: raw.data.map((v) => i * 20 + Math.floor(v / 4)) };
  });

  it('leave the main thread its turns', async () => {
    const scorer = await open().open();
    let done = false;
    const given = fed(scorer, noise(1500, 1500)).then(() => {
      done = true;
    });
    for (let i = 0; i < 3; i++) await turn();
    expect(done).toBe(false);
    await given;
  });

  it('each get what is theirs, and those that are given up take none along', async () => {
    const scorer = await open().open();
    const leaving = new AbortController();
    const given = images.map((raw, i) => judge(scorer, raw, i % 3 === 0 ? leaving.signal : soon()));
    const settled = Promise.allSettled(given);
    await turn();
    const reason = new Error('the client left');
    leaving.abort(reason);
    for (const [i, one] of (await settled).entries())
      if (i % 3 === 0) expect(one).toEqual({ status: 'rejected', reason });
      else expect((one as { value: number }).value).toBeCloseTo(brightness(images[i]!), 4);
    expect(await judge(scorer, images[0]!)).toBeCloseTo(brightness(images[0]!), 4);
  });

  it('fail with DRAINING when the scorers are closed', async () => {
    const catalog = open();
    const scorer = await catalog.open();
    const settled = Promise.allSettled(images.map((raw) => judge(scorer, raw)));
    await turn();
    await catalog.close();
    for (const one of await settled)
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'DRAINING' } });
    await expect(judge(scorer, images[0]!)).rejects.toMatchObject({ code: 'DRAINING' });
  });

  /** The threads that are started from now on: one of the session, and those that prepare. */
  function watchStarts(): Worker[] {
    const started: Worker[] = [];
    const note = (worker: Worker) => void started.push(worker);
    process.on('worker', note);
    onTestFinished(() => void process.off('worker', note));
    return started;
  }

  it('start threads only where the kernel is slow', async () => {
    const started = watchStarts();
    for (const [model, threads] of [
      [viewed({ kernel: 'cubic' }), 0],
      [viewed({ kernel: 'torch-linear' }), 0],
      [viewed({ kernel: 'opencv-cubic' }), 0],
      [viewed({ kernel: 'pillow-linear' }), 1],
    ] as const) {
      started.length = 0;
      const catalog = catalogOf(model);
      await judge(await catalog.open(), images[1]!);
      expect(started.length).toBe(1 + threads);
      await catalog.close();
      expect(started.every(({ threadId }) => threadId === -1)).toBe(true);
    }
  });

  it('leave no thread behind in a scorer without a catalog', async () => {
    const started = watchStarts();
    const scorer = await openScorer(open().find(), SETTINGS);
    await judge(scorer, images[1]!);
    await scorer.close();
    expect(started.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });
});
