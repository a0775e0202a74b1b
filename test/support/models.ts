/** Model folders for tests: real ONNX graphs of a few nodes, whose scores can be told in advance. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Manifest, refOf } from '../../src/reward/model/manifest.ts';
import { type Graph, onnxModel } from './onnx.ts';

/** Mean of all bytes ÷ 51 as quality (0..5), spread 0.5. Input: uint8 `[n, 32, 32, 3]`. */
export const brightnessGraph: Graph = {
  inputs: { image: ['uint8', ['n', 32, 32, 3]] },
  outputs: { quality: ['float32', ['n', 2]] },
  constants: {
    scale: { dims: [], floats: [1 / 51] },
    zero: { dims: [], floats: [0] },
    half: { dims: [], floats: [0.5] },
    column: { dims: [2], ints: [-1, 1] },
  },
  nodes: [
    { op: 'Cast', inputs: ['image'], outputs: ['float'], attributes: { to: 1 } },
    { op: 'ReduceMean', inputs: ['float'], outputs: ['mean'], attributes: { axes: [1, 2, 3], keepdims: 0 } },
    { op: 'Mul', inputs: ['mean', 'scale'], outputs: ['score'] },
    { op: 'Reshape', inputs: ['score', 'column'], outputs: ['scores'] },
    { op: 'Mul', inputs: ['scores', 'zero'], outputs: ['zeros'] },
    { op: 'Add', inputs: ['zeros', 'half'], outputs: ['spreads'] },
    { op: 'Concat', inputs: ['scores', 'spreads'], outputs: ['quality'], attributes: { axis: 1 } },
  ],
};

/** `brightnessGraph` that also gives the mean of all bytes, 0..255, as a figure for the domain. */
export const meanGraph: Graph = {
  ...brightnessGraph,
  outputs: { ...brightnessGraph.outputs, mean: ['float32', ['n']] },
};

/** `brightnessGraph` plus alignment = number of real tokens ÷ 2, from a mask of 8. */
export const tokenGraph: Graph = {
  inputs: {
    ...brightnessGraph.inputs,
    input_ids: ['int64', ['n', 8]],
    attention_mask: ['int64', ['n', 8]],
  },
  outputs: { ...brightnessGraph.outputs, alignment: ['float32', ['n', 2]], ids: ['float32', ['n', 8]] },
  constants: { ...brightnessGraph.constants },
  nodes: [
    ...brightnessGraph.nodes,
    { op: 'Cast', inputs: ['input_ids'], outputs: ['ids'], attributes: { to: 1 } },
    { op: 'Cast', inputs: ['attention_mask'], outputs: ['mask'], attributes: { to: 1 } },
    { op: 'ReduceMean', inputs: ['mask'], outputs: ['share'], attributes: { axes: [1], keepdims: 1 } },
    { op: 'Add', inputs: ['share', 'share'], outputs: ['twice'] },
    { op: 'Add', inputs: ['twice', 'twice'], outputs: ['tokens'] },
    { op: 'Concat', inputs: ['tokens', 'spreads'], outputs: ['alignment'], attributes: { axis: 1 } },
  ],
};

const PACKED = { inputs: 32 * 32 * 3, outputs: 2, block: 128 };

/** About the mean of all bytes ÷ 51 as quality, by a product with four-bit weights: 1 / 51 / 3072 each; spread the same. */
export const packedGraph: Graph = {
  inputs: { image: ['uint8', ['n', 32, 32, 3]] },
  outputs: { quality: ['float32', ['n', 2]] },
  constants: {
    // Twice the code for 1, which stands above the 8 that stands for 0.
    codes: {
      dims: [PACKED.outputs, PACKED.inputs / PACKED.block, PACKED.block / 2],
      bytes: Array.from({ length: (PACKED.outputs * PACKED.inputs) / 2 }, () => 0x99),
    },
    steps: {
      dims: [(PACKED.outputs * PACKED.inputs) / PACKED.block],
      floats: Array.from(
        { length: (PACKED.outputs * PACKED.inputs) / PACKED.block },
        () => 1 / 51 / PACKED.inputs,
      ),
    },
    row: { dims: [2], ints: [0, PACKED.inputs] },
  },
  nodes: [
    { op: 'Cast', inputs: ['image'], outputs: ['float'], attributes: { to: 1 } },
    { op: 'Reshape', inputs: ['float', 'row'], outputs: ['pixels'] },
    {
      op: 'MatMulNBits',
      domain: 'com.microsoft',
      inputs: ['pixels', 'codes', 'steps'],
      outputs: ['quality'],
      attributes: { K: PACKED.inputs, N: PACKED.outputs, bits: 4, block_size: PACKED.block },
    },
  ],
};

/** A word-piece tokenizer of the Hugging Face format: `[CLS] words [SEP]`. */
export const wordTokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [1], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [2], tokens: ['[SEP]'] },
    },
  },
  decoder: null,
  model: {
    type: 'WordPiece',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: { '[PAD]': 0, '[CLS]': 1, '[SEP]': 2, '[UNK]': 3, a: 4, cat: 5, red: 6, dog: 7 },
    unk_token: '[UNK]',
  },
};

const identityCalibration = {
  map: { x: [0, 5], y: [0, 5] },
  interval: { coverage: 0.9, scale: 2 },
  quantiles: Array.from({ length: 101 }, (_, i) => i / 20),
};

const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

export interface TestModel {
  id?: string;
  /** 1.0.0 when absent; when given, it is in the name of the folder, too. */
  version?: string;
  graph?: Graph;
  text?: boolean;
  /** Last changes to the manifest before it is written. */
  edit?: (manifest: Manifest) => void;
  /** Further files, and replacements of the standard ones; hashed like them. */
  files?: Record<string, Uint8Array | string>;
}

/** Writes a complete model folder `<parent>/<id>` or `<parent>/<id>@<version>` and returns its path. */
export function writeModel(parent: string, model: TestModel = {}): string {
  const { id = 'test-bright', version, text = false, edit } = model;
  const graph = model.graph ?? (text ? tokenGraph : brightnessGraph);
  const files: Record<string, Uint8Array | string> = {
    'model.onnx': onnxModel(graph),
    'calibration.json': JSON.stringify({
      version: 1,
      fittedOn: 'nothing: a test model',
      aspects: { quality: identityCalibration, ...(text && { alignment: identityCalibration }) },
    }),
    'golden.json': JSON.stringify({ version: 1, items: [] }),
    ...(text && { 'tokenizer.json': JSON.stringify(wordTokenizer) }),
    ...model.files,
  };
  const aspect = (output: string, needsPrompt: boolean) => ({
    output,
    kind: 'mean-spread' as const,
    range: [0, 5] as [number, number],
    needsPrompt,
  });
  const manifest: Manifest = {
    manifestVersion: 1,
    id,
    version: version ?? '1.0.0',
    title: 'Test',
    description: 'Brightness as quality',
    license: 'Apache-2.0',
    source: 'test',
    backend: 'onnx',
    defaultVariant: 'fp32',
    variants: { fp32: { graphs: { score: 'model.onnx' } } },
    files: Object.fromEntries(
      Object.entries(files).map(([name, data]) => [name, { sha256: sha256(data), bytes: data.length }]),
    ),
    graphs: [{ graph: 'score', per: 'pair' }],
    image: {
      input: 'image',
      width: 32,
      height: 32,
      resize: 'stretch',
      kernel: 'cubic',
      layout: 'nhwc',
      dtype: 'uint8',
      scale: 1,
      offset: 0,
      minSide: 16,
      maxAspectRatio: 4,
    },
    text: text
      ? {
          tokenizer: 'tokenizer.json',
          ids: 'input_ids',
          mask: 'attention_mask',
          dtype: 'int64',
          contextLength: 8,
          padId: 0,
        }
      : null,
    domain: null,
    aspects: {
      quality: aspect('quality', false),
      alignment: text ? aspect('alignment', true) : null,
      authenticity: null,
    },
    reward: { weights: text ? { quality: 1, alignment: 1 } : { quality: 1 } },
    maxBatch: 8,
    calibration: 'calibration.json',
    golden: 'golden.json',
    card: 'card.md',
  };
  edit?.(manifest);
  const folder = join(parent, version === undefined ? id : refOf({ id, version }));
  for (const [name, data] of Object.entries({ ...files, 'card.md': '# Test model\n' })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), data);
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest, null, 2));
  return folder;
}
