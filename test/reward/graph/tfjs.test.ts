/** The second backend: TensorFlow.js models as `model.save` and the converter write them. */
import { mkdirSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../../src/reward/model/catalog.ts';
import type { Manifest } from '../../../src/reward/model/manifest.ts';
import type { Scorer } from '../../../src/reward/scorer.ts';
import { tempFolder } from '../../support/files.ts';
import { picture } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';

type Files = Record<string, Uint8Array | string>;

/** The files that `model.save('file://…')` would write: topology and one shard of weights. */
async function saved(model: layers.LayersModel): Promise<Files> {
  const files: Files = {};
  await model.save({
    async save({ modelTopology, weightSpecs, weightData }) {
      const weightsManifest = [{ paths: ['group1-shard1of1.bin'], weights: weightSpecs! }];
      files['model.json'] = JSON.stringify({ modelTopology, weightsManifest });
      files['group1-shard1of1.bin'] = new Uint8Array(weightData as ArrayBuffer);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
    },
  });
  return files;
}

/** A small convolutional net with random weights: `[n, 32, 32, 3]` floats to five probabilities. */
function convolutionalNet(): layers.LayersModel {
  const input = layers.input({ shape: [32, 32, 3], name: 'image' });
  const seeded = (seed: number) => ({ kernelInitializer: layers.initializers.glorotNormal({ seed }) });
  let x = layers.layers
    .conv2d({ filters: 8, kernelSize: 3, strides: 2, activation: 'relu', ...seeded(1) })
    .apply(input);
  x = layers.layers
    .depthwiseConv2d({
      kernelSize: 3,
      activation: 'relu',
      depthwiseInitializer: layers.initializers.glorotNormal({ seed: 2 }),
    })
    .apply(x);
  x = layers.layers.batchNormalization({}).apply(x);
  x = layers.layers.globalAveragePooling2d({}).apply(x);
  const output = layers.layers
    .dense({ units: 5, activation: 'softmax', name: 'levels', ...seeded(3) })
    .apply(x);
  return layers.model({ inputs: input, outputs: output as layers.SymbolicTensor });
}

const float = (name: string, size: number) => ({ name, shape: [size], dtype: 'float32' as const });

/** A graph model as the converter writes it: mean of the picture ÷ 51 as quality, with 8-bit quantised weights. */
function graphModel(): Files {
  const node = (name: string, op: string, input: string[] = [], attr: object = {}) => ({
    name,
    op,
    input,
    attr,
  });
  const type = { T: { type: 'DT_FLOAT' } };
  const constant = (name: string, dtype: string, dims: string[]) =>
    node(name, 'Const', [], {
      dtype: { type: dtype },
      value: { tensor: { dtype, tensorShape: { dim: dims.map((size) => ({ size })) } } },
    });
  const shape = { shape: { dim: [{ size: '-1' }, { size: '32' }, { size: '32' }, { size: '3' }] } };
  const topology = {
    node: [
      node('image', 'Placeholder', [], { dtype: { type: 'DT_FLOAT' }, shape }),
      constant('axes', 'DT_INT32', ['2']),
      constant('kernel', 'DT_FLOAT', ['3', '1']),
      node('pooled', 'Mean', ['image', 'axes'], { ...type, keep_dims: { b: false } }),
      node('quality', 'MatMul', ['pooled', 'kernel'], {
        ...type,
        transpose_a: { b: false },
        transpose_b: { b: false },
      }),
    ],
    versions: { producer: 27 },
  };
  // Quantised: value = byte × scale + min.
  const weights = [
    { name: 'axes', shape: [2], dtype: 'int32' },
    {
      ...float('kernel', 3),
      shape: [3, 1],
      quantization: { dtype: 'uint8', scale: 5 / 255, min: 0, original_dtype: 'float32' },
    },
  ];
  const data = Buffer.concat([new Uint8Array(Int32Array.from([1, 2]).buffer), Uint8Array.from([85, 85, 85])]);
  const json = { format: 'graph-model', generatedBy: 'test', convertedBy: 'test', modelTopology: topology };
  return {
    'model.json': JSON.stringify({ ...json, weightsManifest: [{ paths: ['weights.bin'], weights }] }),
    'weights.bin': data,
  };
}

async function openTfjs(files: Files, edit: (m: Manifest) => void): Promise<Scorer> {
  const parent = tempFolder();
  mkdirSync(parent, { recursive: true });
  writeModel(parent, {
    id: 'test-tfjs',
    files,
    edit(m) {
      Object.assign(m, { backend: 'tfjs', variants: { fp32: { graphs: { score: 'model.json' } } } });
      Object.assign(m.image, { dtype: 'float32', scale: 1 / 255, offset: 0 });
      delete m.files['model.onnx'];
      edit(m);
    },
  });
  const options = { providers: [], threads: 1, workers: 1, defaultId: 'test-tfjs' };
  return openCatalog({ ...options, modelDirs: [parent] }).open();
}

const never = new AbortController().signal;

describe('a tfjs scorer', () => {
  it('gives what tfjs itself gives for a layers model, as mean and spread of its distribution', async () => {
    const net = convolutionalNet();
    const levels = [1, 2, 3, 4, 5];
    const scorer = await openTfjs(await saved(net), (m) => {
      Object.assign(m.aspects.quality!, { output: 'levels', kind: 'distribution', levels });
    });
    const image = picture(32, 32);
    const input = tf.tensor4d(
      Float32Array.from(image.data, (v) => v / 255),
      [1, 32, 32, 3],
    );
    const p = Array.from(await (net.predict(input) as tf.Tensor).data());
    const mean = p.reduce((sum, v, i) => sum + v * levels[i]!, 0);
    const spread = Math.sqrt(p.reduce((sum, v, i) => sum + v * (levels[i]! - mean) ** 2, 0));
    const { aspects } = await scorer.judge(image, null, never);
    expect(aspects.quality!.score).toBeCloseTo(mean, 4);
    expect(aspects.quality!.interval![1]).toBeCloseTo(Math.min(5, mean + 2 * spread), 3);
    expect(scorer.provider).toMatch(/^tfjs-/);
    await scorer.close();
  });

  it('runs a quantised graph model and batches it', async () => {
    const scorer = await openTfjs(graphModel(), (m) => {
      Object.assign(m.aspects.quality!, { output: 'quality', kind: 'mean' });
    });
    const images = [picture(32, 32), { ...picture(32, 32), data: picture(32, 32).data.map((v) => v >> 1) }];
    const judged = await Promise.all(images.map((image) => scorer.judge(image, null, never)));
    images.forEach((image, i) => {
      const mean = image.data.reduce((sum, v) => sum + v, 0) / image.data.length / 255;
      expect(judged[i]!.aspects.quality!.score).toBeCloseTo(mean * 5, 3);
    });
    await scorer.close();
  });

  it('says when its weights are cut short', async () => {
    const files = graphModel();
    const opened = openTfjs({ ...files, 'weights.bin': Buffer.from([1, 2]) }, (m) => {
      Object.assign(m.aspects.quality!, { kind: 'mean' });
    });
    await expect(opened).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
  });
});
