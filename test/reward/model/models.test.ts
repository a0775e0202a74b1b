/** Model folders: what is wrong with them is said by name. */
import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../../src/reward/model/catalog.ts';
import type { Manifest } from '../../../src/reward/model/manifest.ts';
import { tempFolder } from '../../support/files.ts';
import { brightnessGraph, meanGraph, type TestModel, writeModel } from '../../support/models.ts';
import { floats, type Graph } from '../../support/onnx.ts';

const settings = { providers: [], threads: 1, workers: 1, defaultId: 'test-bright' };
const catalogIn = (dir: string) => openCatalog({ ...settings, modelDirs: [dir] });

async function openModel(model: TestModel, spoil: (folder: string) => void = () => {}) {
  const parent = tempFolder();
  spoil(writeModel(parent, model));
  const catalog = catalogIn(parent);
  const [broken] = catalog.broken();
  if (broken) throw broken;
  const scorer = await catalog.open();
  await scorer.close();
}

/** A domain entry that fits `meanGraph`, but for what is changed. */
const domain = (change: object) =>
  changed((m) => Object.assign(m, { domain: { output: 'mean', limit: 150, reason: 'bright', ...change } }));

/** `brightnessGraph` with its factor in a file beside it. */
const scaledBy = (outside: string): Graph => ({
  ...brightnessGraph,
  constants: { ...brightnessGraph.constants, scale: { dims: [1], outside } },
});

const changed =
  (change: (m: Record<string, unknown>) => void) =>
  (m: Manifest): void =>
    change(m as unknown as Record<string, unknown>);

describe('a model folder', () => {
  it.each<[string, TestModel, ((folder: string) => void) | undefined, string, RegExp]>([
    [
      'with a changed graph',
      {},
      (f) => appendFileSync(join(f, 'model.onnx'), 'x'),
      'MODEL_HASH_MISMATCH',
      /model\.onnx: sha256 is .*manifest says/,
    ],
    [
      'without its graph',
      {},
      (f) => rmSync(join(f, 'model.onnx')),
      'MODEL_FILE_MISSING',
      /names model\.onnx, which is absent/,
    ],
    [
      'whose manifest is not JSON',
      {},
      (f) => writeFileSync(join(f, 'manifest.json'), '{'),
      'MANIFEST_INVALID',
      /manifest\.json/,
    ],
    [
      'with a wrong type',
      { edit: changed((m) => Object.assign(m, { maxBatch: 'many' })) },
      undefined,
      'MANIFEST_INVALID',
      /maxBatch: expected/,
    ],
    [
      'with an unknown key',
      { edit: changed((m) => Object.assign(m, { colour: 1 })) },
      undefined,
      'MANIFEST_INVALID',
      /colour/,
    ],
    [
      'that reaches outside itself',
      { edit: changed((m) => Object.assign(m, { card: '../../etc/passwd' })) },
      undefined,
      'MANIFEST_INVALID',
      /card/,
    ],
    [
      'whose version is a path',
      { edit: (m) => Object.assign(m, { version: '1/../..' }) },
      undefined,
      'MANIFEST_INVALID',
      /version/,
    ],
    [
      'with an unknown default variant',
      { edit: (m) => Object.assign(m, { defaultVariant: 'int4' }) },
      undefined,
      'MANIFEST_INVALID',
      /variant "int4"/,
    ],
    [
      'that calibrates nothing',
      { files: { 'calibration.json': '{"version":1,"fittedOn":"","aspects":{}}' } },
      undefined,
      'MANIFEST_INVALID',
      /aspects\.quality is missing/,
    ],
    [
      'whose graph is no graph',
      { files: { 'model.onnx': 'hello' } },
      undefined,
      'MODEL_LOAD_FAILED',
      /cannot load scorer test-bright/,
    ],
    [
      'that names another output',
      { edit: (m) => Object.assign(m.aspects.quality!, { output: 'beauty' }) },
      undefined,
      'MODEL_UNFIT',
      /no output "beauty" \(has quality\)/,
    ],
    [
      'whose domain names an output that is not there',
      { edit: domain({}) },
      undefined,
      'MODEL_UNFIT',
      /no output "mean" \(has quality\)/,
    ],
    [
      'whose domain names an output of two numbers',
      { graph: meanGraph, edit: domain({ output: 'quality' }) },
      undefined,
      'MODEL_UNFIT',
      /output "quality" has 2 numbers an image; domain needs 1/,
    ],
    [
      'whose domain has no limit',
      { graph: meanGraph, edit: domain({ limit: null }) },
      undefined,
      'MANIFEST_INVALID',
      /domain\.limit: expected number/,
    ],
    [
      'that names another input',
      { edit: (m) => Object.assign(m.image, { input: 'picture' }) },
      undefined,
      'MODEL_UNFIT',
      /image|picture/,
    ],
    [
      'whose weights are in a file that it does not list',
      { graph: scaledBy('model.onnx.data') },
      (f) => writeFileSync(join(f, 'model.onnx.data'), floats(1 / 51)),
      'MODEL_WEIGHTS_UNLISTED',
      /model\.onnx reads its weights from model\.onnx\.data; \S*manifest\.json lists no such file/,
    ],
    [
      'whose shards it does not list',
      {
        files: {
          'model.json': JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths: ['w.bin'] }] }),
        },
        edit: (m) =>
          Object.assign(m, { backend: 'tfjs', variants: { fp32: { graphs: { score: 'model.json' } } } }),
      },
      (f) => writeFileSync(join(f, 'w.bin'), floats(1)),
      'MODEL_WEIGHTS_UNLISTED',
      /model\.json reads its weights from w\.bin/,
    ],
    [
      'whose weights are in a file that is not looked at when it is loaded',
      { graph: scaledBy('other.bin'), files: { 'other.bin': floats(1 / 51), 'model.onnx.data': floats(1) } },
      undefined,
      'MODEL_WEIGHTS_UNLISTED',
      /from other\.bin/,
    ],
    [
      'of another size',
      { edit: (m) => Object.assign(m.image, { width: 16 }) },
      undefined,
      'MODEL_UNFIT',
      /model\.onnx/,
    ],
  ])('%s is refused', async (_name, model, spoil, code, message) => {
    await expect(openModel(model, spoil)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  const quality = (change: object) => ({
    edit: changed((m) => Object.assign((m.aspects as Manifest['aspects']).quality!, change)),
  });
  const image = (change: object) => ({ edit: changed((m) => Object.assign(m.image as object, change)) });
  const reward = (weights: object) => ({ edit: changed((m) => Object.assign(m, { reward: { weights } })) });
  const none = { quality: null, alignment: null, authenticity: null };

  it.each<[string, TestModel, RegExp]>([
    [
      'a range of one number',
      quality({ range: [5, 5] }),
      /aspects\.quality\.range: the lowest score must be below/,
    ],
    ['a reversed range', quality({ range: [5, 0] }), /aspects\.quality\.range/],
    ['an endless range', quality({ range: [0, Number.MAX_VALUE * 10] }), /aspects\.quality\.range\.1/],
    [
      'no aspects',
      { edit: changed((m) => Object.assign(m, { aspects: none })) },
      /aspects: none is predicted/,
    ],
    ['an unknown reward weight', reward({ quality: 1, beauty: 1 }), /reward\.weights.*key/],
    [
      'a weighted aspect without its scale',
      { edit: changed((m) => Object.assign(m, { reward: { weights: { quality: 1 }, standard: {} } })) },
      /reward\.standard\.quality is missing, but quality is weighted/,
    ],
    ['a reward of nothing', reward({ quality: 0 }), /reward\.weights: none is above 0/],
    [
      'a reward of what it does not predict',
      reward({ quality: 1, alignment: 1 }),
      /alignment is not predicted/,
    ],
    ['a negative weight', reward({ quality: -1 }), /reward\.weights\.quality/],
    [
      'a prompt and no tokenizer',
      quality({ needsPrompt: true }),
      /quality needs the prompt, but text is null/,
    ],
    ['levels and no distribution', quality({ levels: [1, 2] }), /levels is set, but its kind is mean-spread/],
    ['a distribution of one level', quality({ kind: 'distribution', levels: [1] }), /levels/],
    ['equal levels', quality({ kind: 'distribution', levels: [1, 2, 2] }), /two of them are equal/],
    ['images of no size', image({ width: 0 }), /image\.width/],
    ['images larger than memory', image({ width: 1e6, height: 1e6 }), /image\.width/],
    ['a scale of 0', image({ dtype: 'float32', scale: [1, 0, 1] }), /image\.scale: must not be 0/],
    ['a scale without effect', image({ scale: 2 }), /no effect with dtype uint8/],
    ['no windows', image({ resize: 'windows' }), /image\.windows is missing/],
    [
      'one input for two things',
      { text: true, edit: (m) => Object.assign(m.text!, { mask: 'input_ids' }) },
      /graph input "input_ids" is named twice/,
    ],
    [
      'a step twice',
      { edit: (m) => Object.assign(m, { graphs: [{ graph: 'score', per: 'image' }, ...m.graphs] }) },
      /"score" stands there twice/,
    ],
    [
      'a default variant that every object has',
      { edit: (m) => Object.assign(m, { defaultVariant: 'toString' }) },
      /variant "toString" is not in variants/,
    ],
    ['a batch larger than memory', { edit: (m) => Object.assign(m, { maxBatch: 1e9 }) }, /maxBatch/],
  ])('with %s is refused', async (_name, model, message) => {
    const error = { code: 'MANIFEST_INVALID', message: expect.stringMatching(message) };
    await expect(openModel(model)).rejects.toMatchObject(error);
  });

  const calibration = (change: object) => {
    const own = { map: { x: [0, 5], y: [0, 5] }, interval: { coverage: 0.9, scale: 2 }, quantiles: [0, 5] };
    const aspects = { quality: { ...own, ...change } };
    return JSON.stringify({ version: 1, fittedOn: 'nothing', aspects });
  };

  it.each<[string, string, RegExp]>([
    ['that falls', calibration({ map: { x: [0, 5], y: [5, 0] } }), /map: x and y must rise together/],
    ['with a knot twice', calibration({ map: { x: [0, 0, 5], y: [0, 1, 5] } }), /map: x and y must rise/],
    ['of unequal lengths', calibration({ map: { x: [0, 1, 5], y: [0, 5] } }), /map: x and y must rise/],
    ['that gives one score to all', calibration({ map: { x: [0, 5], y: [3, 3] } }), /same score/],
    ['of unsorted percentiles', calibration({ quantiles: [0, 3, 2, 5] }), /quantiles must not fall/],
    ['of percentiles on another scale', calibration({ quantiles: [10, 50, 90] }), /outside the range 0 to 5/],
    ['with a negative interval', calibration({ interval: { coverage: 0.9, scale: -1 } }), /interval\.scale/],
    [
      'with a coverage in percent',
      calibration({ interval: { coverage: 90, scale: 1 } }),
      /interval\.coverage/,
    ],
    ['with no number', calibration({}).replace('0.9', '1e999'), /interval\.coverage/],
  ])('with a calibration %s is refused', async (_name, text, message) => {
    const error = { code: 'MANIFEST_INVALID', message: expect.stringMatching(message) };
    await expect(openModel({ files: { 'calibration.json': text } })).rejects.toMatchObject(error);
  });

  /** Gives the same two numbers for each image. */
  const constant = (numbers: [number, number]): Graph => ({
    ...brightnessGraph,
    constants: { ...brightnessGraph.constants, row: { dims: [2], floats: numbers } },
    nodes: [
      ...brightnessGraph.nodes.slice(0, 4),
      { op: 'Mul', inputs: ['scores', 'zero'], outputs: ['zeros'] },
      { op: 'Add', inputs: ['zeros', 'row'], outputs: ['quality'] },
    ],
  });

  it.each<[string, [number, number], object, RegExp]>([
    ['all zeros', [0, 0], { kind: 'distribution', levels: [0, 5] }, /no distribution: 0\.00, 0\.00/],
    ['logits', [-2, 3], { kind: 'distribution', levels: [0, 5] }, /no distribution: -2\.00, 3\.00/],
    ['a negative spread', [3, -1], {}, /negative spread/],
  ])('whose graph gives %s is refused', async (_name, numbers, change, message) => {
    const error = { code: 'MODEL_UNFIT', message: expect.stringMatching(message) };
    await expect(openModel({ graph: constant(numbers), ...quality(change) })).rejects.toMatchObject(error);
  });

  it('needs to say nothing of its domain', async () => {
    await openModel({ edit: changed((m) => delete m.domain) });
  });

  it('that is broken does not hide the others', async () => {
    const parent = tempFolder();
    writeModel(parent);
    writeFileSync(join(writeModel(parent, { id: 'test-broken' }), 'manifest.json'), '[]');
    const catalog = catalogIn(parent);
    expect(catalog.list().map((s) => s.id)).toEqual(['test-bright']);
    expect(catalog.broken().map((e) => e.code)).toEqual(['MANIFEST_INVALID']);
  });

  it.each(['test-range', 'test-range@2.0.0', 'my copy'])(
    'that is refused is told why to who asks for %s',
    (name) => {
      const parent = tempFolder();
      const wrong = changed((m) =>
        Object.assign((m.aspects as Manifest['aspects']).quality!, { range: [5, 5] }),
      );
      renameSync(
        writeModel(parent, { id: 'test-range', version: '2.0.0', edit: wrong }),
        join(parent, 'my copy'),
      );
      const catalog = catalogIn(parent);
      expect(() => catalog.find(name)).toThrow(
        /no scorer ".*" \(its folder is refused: .*my copy.manifest\.json: .*range/,
      );
      expect(() => catalog.find('test-rang')).toThrow(/no scorer "test-rang"; installed/);
    },
  );

  it.each(['int8', 'toString'])(
    'that lacks the variant %s says so, and the others score',
    async (variant) => {
      const parent = tempFolder();
      writeModel(parent);
      writeModel(parent, {
        id: 'test-other',
        edit: (m) => {
          m.defaultVariant = variant;
          m.variants = JSON.parse(`{"${variant}":${JSON.stringify(m.variants.fp32)}}`);
        },
      });
      const catalog = openCatalog({ ...settings, variant, defaultId: 'test-other', modelDirs: [parent] });
      const message = `scorer test-bright@1.0.0 has no variant "${variant}"; it has fp32`;
      expect(catalog.list().map(({ id, problem }) => [id, problem])).toEqual([
        ['test-bright', message],
        ['test-other', null],
      ]);
      expect((await catalog.open()).stamp.variant).toBe(variant);
      await expect(catalog.open('test-bright')).rejects.toMatchObject({ code: 'VARIANT_UNKNOWN', message });
      await catalog.close();
    },
  );

  it('is tried again after a failed load', async () => {
    const parent = tempFolder();
    const folder = writeModel(parent);
    rmSync(join(folder, 'model.onnx'));
    const catalog = catalogIn(parent);
    await expect(catalog.open()).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' });
    writeModel(parent);
    const scorer = await catalog.open();
    expect(scorer.provider).toBe('cpu');
    await catalog.close();
  });

  it('is named with a near one when unknown', () => {
    const parent = tempFolder();
    writeModel(parent);
    expect(() => catalogIn(parent).find('test-brigt')).toThrow(/did you mean "test-bright"/);
  });

  it('falls back to the CPU and says what a missing provider needs', async () => {
    const parent = tempFolder();
    writeModel(parent);
    const catalog = openCatalog({ ...settings, providers: ['coreml', 'dml'], modelDirs: [parent] });
    const scorer = await catalog.open();
    expect(scorer.provider).toMatch(/cpu|coreml|dml/);
    expect(scorer.notes.join(' ')).toMatch(
      /(dml|coreml) is not available: only on .*there is nothing to install elsewhere/,
    );
    await catalog.close();
  });
});
