/** Scorers of several graphs: texts, what is kept of a prompt or an image, and release after an idle time. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { Pipeline } from '../../src/pipeline.ts';
import { type Catalog, type CatalogOptions, openCatalog } from '../../src/reward/model/catalog.ts';
import type { Manifest } from '../../src/reward/model/manifest.ts';
import type { Scorer } from '../../src/reward/scorer.ts';
import type { ImageInput, Pixels } from '../../src/types/image.ts';
import { tempFolder } from '../support/files.ts';
import { flat, png, transparentPng } from '../support/images.ts';
import { type TestModel, writeModel } from '../support/models.ts';
import { floats, type Graph, onnxModel } from '../support/onnx.ts';

/** Two texts to the mean of their token ids: `[CLS]` 1, `a` 4, `cat` 5, `red` 6, `dog` 7, `[SEP]` 2, padding 0. */
const wordsGraph: Graph = {
  inputs: { input_ids: ['int64', ['n', 2, 8]] },
  outputs: { words: ['float32', ['n', 2]] },
  nodes: [
    { op: 'Cast', inputs: ['input_ids'], outputs: ['float'], attributes: { to: 1 } },
    { op: 'ReduceMean', inputs: ['float'], outputs: ['words'], attributes: { axes: [2], keepdims: 0 } },
  ],
};

/** The mean of all bytes. */
const lookGraph: Graph = {
  inputs: { image: ['uint8', ['n', 32, 32, 3]] },
  outputs: { look: ['float32', ['n', 1]] },
  constants: { column: { dims: [2], ints: [-1, 1] } },
  nodes: [
    { op: 'Cast', inputs: ['image'], outputs: ['float'], attributes: { to: 1 } },
    { op: 'ReduceMean', inputs: ['float'], outputs: ['mean'], attributes: { axes: [1, 2, 3], keepdims: 0 } },
    { op: 'Reshape', inputs: ['mean', 'column'], outputs: ['look'] },
  ],
};

/** Quality: the look ÷ 51; alignment: the mean of both words. */
const judgeGraph: Graph = {
  inputs: { words: ['float32', ['n', 2]], look: ['float32', ['n', 1]] },
  outputs: { quality: ['float32', ['n', 1]], alignment: ['float32', ['n', 1]] },
  constants: { scale: { dims: [], floats: [1 / 51] } },
  nodes: [
    { op: 'Mul', inputs: ['look', 'scale'], outputs: ['quality'] },
    { op: 'ReduceMean', inputs: ['words'], outputs: ['alignment'], attributes: { axes: [1], keepdims: 1 } },
  ],
};

const GRAPHS: Manifest['graphs'] = [
  { graph: 'words', per: 'prompt', texts: ['{prompt}', 'red {prompt}'] },
  { graph: 'look', per: 'image' },
  { graph: 'score', per: 'pair' },
];

const threeGraphs = (edit: (m: Manifest) => void = () => {}): TestModel => ({
  id: 'test-chain',
  graph: judgeGraph,
  text: true,
  files: { 'words.onnx': onnxModel(wordsGraph), 'look.onnx': onnxModel(lookGraph) },
  edit(m) {
    const mean = { kind: 'mean' as const, range: [0, 5] as [number, number] };
    Object.assign(m, {
      graphs: structuredClone(GRAPHS),
      variants: { fp32: { graphs: { score: 'model.onnx', words: 'words.onnx', look: 'look.onnx' } } },
      text: { ...m.text!, mask: null },
      aspects: {
        quality: { output: 'quality', needsPrompt: false, ...mean },
        alignment: { output: 'alignment', needsPrompt: true, ...mean },
        authenticity: null,
      },
    });
    edit(m);
  },
});

const SETTINGS = { providers: [], threads: 1, workers: 1, defaultId: 'test-chain', embeddingCacheBytes: 1e6 };

function catalogOf(models: TestModel[], options: Partial<CatalogOptions> = {}): [Catalog, string[]] {
  const parent = tempFolder();
  const folders = models.map((model) => writeModel(parent, model));
  const catalog = openCatalog({ ...SETTINGS, modelDirs: [parent], ...options });
  onTestFinished(() => catalog.close());
  return [catalog, folders];
}

const grey = (value: number): Pixels => ({
  data: new Uint8Array(32 * 32 * 3).fill(value),
  width: 32,
  height: 32,
});

async function scores(scorer: Scorer, value: number, prompt: string | null) {
  const { aspects } = await scorer.judge(grey(value), prompt, AbortSignal.timeout(20_000));
  return { quality: aspects.quality?.score, alignment: aspects.alignment?.score };
}

const loaded = (scorer: Scorer): string[] => scorer.graphs.filter((g) => g.loaded).map((g) => g.name);

async function released(scorer: Scorer): Promise<void> {
  for (let i = 0; loaded(scorer).length > 0; i++) {
    if (i > 200) throw new Error('the graphs stay loaded');
    await sleep(10);
  }
}

describe('a scorer of several graphs', () => {
  it('puts the prompt into its texts, and feeds the last graph with what the others made', async () => {
    const [catalog] = catalogOf([threeGraphs()]);
    const scorer = await catalog.open();
    expect(loaded(scorer)).toEqual(['words', 'look', 'score']);
    // cat: 1 + 5 + 2, red cat: 1 + 6 + 5 + 2, each over 8 positions
    expect(await scores(scorer, 102, 'cat')).toEqual({ quality: 2, alignment: (8 / 8 + 14 / 8) / 2 });
    expect(await scores(scorer, 204, 'cat dog')).toEqual({ quality: 4, alignment: (15 / 8 + 21 / 8) / 2 });
    expect(await scores(scorer, 51, null)).toEqual({ quality: 1, alignment: undefined });
    const both = await Promise.all([scores(scorer, 51, 'dog'), scores(scorer, 153, 'a')]);
    expect(both).toEqual([
      { quality: 1, alignment: (10 / 8 + 16 / 8) / 2 },
      { quality: 3, alignment: (7 / 8 + 13 / 8) / 2 },
    ]);
  });

  it('takes a prompt literally', async () => {
    const [catalog] = catalogOf([threeGraphs()]);
    const scorer = await catalog.open();
    const literal = await scores(scorer, 51, "a $& $' {prompt}");
    // [CLS] and [SEP] and a and unknown pieces (3): "$&", "$'", "{", "prompt", "}" at most; never a second "red"
    expect(literal.alignment).toBeLessThan(4);
    expect(await scores(scorer, 51, 'a')).toMatchObject({ alignment: 1.25 });
  });

  it('keeps what it made of a prompt and of an image, also for another scorer with the same graphs', async () => {
    const twin = threeGraphs((m) => Object.assign(m, { id: 'test-twin' }));
    const [catalog, folders] = catalogOf([threeGraphs(), { ...twin, id: 'test-twin' }], { keepAliveMs: 20 });
    const [scorer, other] = [await catalog.open('test-chain'), await catalog.open('test-twin')];
    const expected = await scores(scorer, 102, 'cat');
    await Promise.all([scorer, other].map(released));
    for (const folder of folders) for (const name of ['words.onnx', 'look.onnx']) rmSync(join(folder, name));
    expect(await scores(scorer, 102, 'cat')).toEqual(expected);
    expect(await scores(other, 102, 'cat')).toEqual(expected);
    // anything else needs a graph that is gone
    await expect(scores(scorer, 102, 'dog')).rejects.toMatchObject({ code: 'SCORER_RECOVERING' });
    await expect(scores(scorer, 103, 'cat')).rejects.toMatchObject({ code: 'SCORER_RECOVERING' });
  });

  it('keeps nothing where there is no room', async () => {
    const [catalog, [folder]] = catalogOf([threeGraphs()], { keepAliveMs: 20, embeddingCacheBytes: 0 });
    const scorer = await catalog.open();
    await scores(scorer, 102, 'cat');
    await released(scorer);
    rmSync(join(folder!, 'words.onnx'));
    await expect(scores(scorer, 102, 'cat')).rejects.toMatchObject({ code: 'SCORER_RECOVERING' });
  });

  it('is released after an idle time and loaded again by the next image', async () => {
    const [catalog] = catalogOf([threeGraphs()], { keepAliveMs: 20 });
    const scorer = await catalog.open();
    expect(scorer.graphs.map((g) => [g.name, g.provider])).toEqual([
      ['words', 'cpu'],
      ['look', 'cpu'],
      ['score', 'cpu'],
    ]);
    await released(scorer);
    expect(catalog.list()[0]).toMatchObject({ loaded: true, graphs: [{ memoryMb: null }, {}, {}] });
    expect(await scores(scorer, 102, 'cat')).toMatchObject({ quality: 2 });
  });

  it.each(['cubic', 'pillow-cubic'])(
    'gives up at once when its caller does, and goes on for others (%s)',
    async (kernel) => {
      const [catalog] = catalogOf([threeGraphs((m) => Object.assign(m.image, { kernel }))]);
      const scorer = await catalog.open();
      const gone = new AbortController();
      const given = scorer.judge(grey(7), 'dog dog', gone.signal);
      const kept = scores(scorer, 7, 'dog dog');
      gone.abort(new Error('the client left'));
      await expect(given).rejects.toThrow('the client left');
      expect((await kept).alignment).toBeGreaterThan(0);
    },
  );

  it('loads nothing for a caller who has already left', async () => {
    const [catalog] = catalogOf([threeGraphs()], { keepAliveMs: 20 });
    const scorer = await catalog.open();
    await released(scorer);
    const gone = AbortSignal.abort(new Error('the client left'));
    await expect(scorer.judge(grey(7), 'dog dog', gone)).rejects.toThrow('the client left');
    await turn();
    expect(loaded(scorer)).toEqual([]);
  });

  it('can be closed in the middle of a run', async () => {
    for (let i = 0; i < 4; i++) {
      const [catalog] = catalogOf([threeGraphs()]);
      const scorer = await catalog.open();
      const given = Promise.allSettled([scores(scorer, 7, 'dog'), scores(scorer, 8, `${'cat '.repeat(i)}`)]);
      await catalog.close();
      for (const one of await given)
        expect(one).toMatchObject({ status: 'rejected', reason: { code: 'DRAINING' } });
    }
  });

  it('answers nothing after it was closed', async () => {
    const [catalog] = catalogOf([threeGraphs()]);
    const scorer = await catalog.open();
    await catalog.close();
    await expect(scores(scorer, 9, 'cat')).rejects.toMatchObject({ code: 'DRAINING' });
  });
});

describe('what is kept of an image', () => {
  /** Scores one image after the other, each time through a pipeline that remembers no results. */
  async function qualities(catalog: Catalog, images: ImageInput[], background = '#ffffff') {
    const config = loadConfig({ scorer: 'test-chain', resultCache: 0, background }, undefined, {});
    const pipeline = new Pipeline(catalog, config);
    const found: (number | undefined)[] = [];
    for (const image of images) {
      const item = { id: 'a', source: null, prompt: null, fetch: () => image };
      const request = { items: [item], client: 'test', signal: AbortSignal.timeout(20_000) };
      const [result] = await pipeline.score(request);
      expect(result!.error).toBeNull();
      found.push(result!.aspects!.quality!.score);
    }
    return found;
  }

  const raw = (width: number, height: number, bytes: Uint8Array, format: 'rgb8' | 'rgba8' = 'rgb8') =>
    ({ kind: 'raw', format, width, height, bytes }) as const;

  it('is used again for the same bytes', async () => {
    const [catalog, [folder]] = catalogOf([threeGraphs()], { keepAliveMs: 20 });
    const scorer = await catalog.open();
    const file = await png(flat([102, 102, 102], 40));
    const image = raw(32, 32, grey(153).data);
    const expected = [2, 3];
    expect(await qualities(catalog, [{ kind: 'encoded', bytes: file }, image])).toEqual(expected);
    await released(scorer);
    rmSync(join(folder!, 'look.onnx'));
    const again = { ...image, bytes: image.bytes.slice() };
    const fileAgain = Buffer.from(file);
    expect(await qualities(catalog, [{ kind: 'encoded', bytes: fileAgain }, again])).toEqual(expected);
  });

  it('is of its shape: the same bytes with another width and height are another image', async () => {
    const [catalog] = catalogOf([threeGraphs((m) => Object.assign(m.image, { resize: 'cover' }))]);
    // The middle half of the bytes is bright: the middle rows of the tall image, and of the wide one half of what is seen.
    const bytes = new Uint8Array(32 * 64 * 3).fill(204, 16 * 32 * 3, 48 * 32 * 3);
    expect(await qualities(catalog, [raw(32, 64, bytes), raw(64, 32, bytes)])).toEqual([4, 2]);
  });

  it.each<[string, () => Promise<ImageInput>]>([
    ['a PNG', async () => ({ kind: 'encoded', bytes: await transparentPng(32) })],
    ['raw pixels', async () => raw(32, 32, new Uint8Array(32 * 32 * 4), 'rgba8')],
  ])('is of its background: %s over another colour is another image', async (_, make) => {
    const [catalog] = catalogOf([threeGraphs()]);
    const image = await make();
    expect(await qualities(catalog, [image], '#ffffff')).toEqual([5]);
    expect(await qualities(catalog, [image], '#000000')).toEqual([0]);
  });

  it('keeps apart what equal graphs make with other weights beside them', async () => {
    const weighed: Graph = {
      ...lookGraph,
      constants: { ...lookGraph.constants, weight: { dims: [1], outside: 'look.onnx.data' } },
      nodes: [
        ...lookGraph.nodes.slice(0, -1),
        { op: 'Mul', inputs: ['mean', 'weight'], outputs: ['weighed'] },
        { op: 'Reshape', inputs: ['weighed', 'column'], outputs: ['look'] },
      ],
    };
    const by = (weight: number) => ({
      ...threeGraphs(),
      files: {
        ...threeGraphs().files,
        'look.onnx': onnxModel(weighed),
        'look.onnx.data': floats(weight),
      },
    });
    const [catalog] = catalogOf([by(1), { ...by(2), id: 'test-twin' }]);
    const found = [];
    for (const id of ['test-chain', 'test-twin'])
      found.push((await scores(await catalog.open(id), 51, null)).quality);
    expect(found).toEqual([1, 2]);
  });

  it('goes by the key of the pixels, where they have one', async () => {
    const [catalog] = catalogOf([threeGraphs()]);
    const scorer = await catalog.open();
    const judge = async (value: number, key: string) =>
      (await scorer.judge({ ...grey(value), key }, null, AbortSignal.timeout(20_000))).aspects.quality!.score;
    expect([await judge(51, 'a'), await judge(102, 'a'), await judge(102, 'b')]).toEqual([1, 1, 2]);
  });
});

describe('a manifest of several graphs', () => {
  it.each<[string, (m: Manifest) => void, string, RegExp]>([
    [
      'whose variant lacks the a graph',
      (m) => Object.assign(m.variants, { fp32: { graphs: { score: 'model.onnx', words: 'words.onnx' } } }),
      'MANIFEST_INVALID',
      /variants\.fp32\.graphs has no "look", which is one of graphs/,
    ],
    [
      'that names a graph without a file entry',
      (m) => Object.assign(m.variants.fp32!.graphs, { look: 'elsewhere.onnx' }),
      'MANIFEST_INVALID',
      /files has no entry for elsewhere\.onnx/,
    ],
    [
      'that does not end with the score',
      (m) => void m.graphs.reverse(),
      'MANIFEST_INVALID',
      /the last one must be "score", per pair/,
    ],
    [
      'with a step per prompt that reads no texts',
      (m) => Object.assign(m.graphs[0]!, { texts: undefined }),
      'MANIFEST_INVALID',
      /"words" is per prompt, but has no texts/,
    ],
    [
      'with texts but no tokenizer',
      (m) => Object.assign(m, { text: null }),
      'MANIFEST_INVALID',
      /"words" reads texts, but text is null/,
    ],
    [
      'with another context length than its graph',
      (m) => Object.assign(m.text!, { contextLength: 9 }),
      'MODEL_UNFIT',
      /graph words.*(9|dimension)/,
    ],
    [
      'with fewer texts than its graph reads',
      (m) => Object.assign(m.graphs[0]!, { texts: ['{prompt}'] }),
      'MODEL_UNFIT',
      /graph words/,
    ],
    [
      'with windows but no plan of them',
      (m) => Object.assign(m.image, { resize: 'windows' }),
      'MANIFEST_INVALID',
      /image\.windows is missing/,
    ],
  ])('%s is refused', async (_, edit, code, reason) => {
    const open = async () => {
      const [catalog] = catalogOf([threeGraphs(edit)]);
      const [broken] = catalog.broken();
      if (broken) throw broken;
      await catalog.open();
    };
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(reason) });
  });

  it('with a graph file that is absent, or no graph, is refused by its name', async () => {
    const [catalog, [folder]] = catalogOf([threeGraphs()]);
    rmSync(join(folder!, 'look.onnx'));
    await expect(catalog.open()).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' });
    const [other] = catalogOf([
      { ...threeGraphs(), files: { 'words.onnx': 'hello', 'look.onnx': onnxModel(lookGraph) } },
    ]);
    await expect(other.open()).rejects.toMatchObject({
      code: 'MODEL_LOAD_FAILED',
      message: expect.stringContaining('(graph words)'),
    });
    writeFileSync(join(folder!, 'look.onnx'), 'changed');
    await expect(catalog.open()).rejects.toMatchObject({ code: 'MODEL_HASH_MISMATCH' });
  });
});
