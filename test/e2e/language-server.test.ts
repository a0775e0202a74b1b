/** The reference server of hidden states with a tiny model at random, as a process beside ours: both sides are real. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findPython, TRAINING as PYTHON_PACKAGES } from '../../scripts/python.ts';
import { loadConfig } from '../../src/config.ts';
import { openRuntime } from '../../src/runtime.ts';
import { tempFolder } from '../support/files.ts';
import { picture } from '../support/images.ts';
import { writeModel } from '../support/models.ts';
import type { Graph } from '../support/onnx.ts';

const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));
/** Of the tiny model, as training/tests/serve/tiny_llava.py writes it. */
const WIDTH = 32;

const python = findPython([...PYTHON_PACKAGES, 'transformers']);
if (!python) process.stderr.write('the server of hidden states is not tried: no Python with transformers\n');

/** Quality: the mean of a sixteenth of what the model holds, and 2.5. */
const graph: Graph = {
  inputs: { states: ['float32', ['n', 'p', WIDTH]] },
  outputs: { quality: ['float32', ['n', 1]] },
  constants: { column: { dims: [2], ints: [-1, 1] }, middle: { dims: [], floats: [2.5] } },
  nodes: [
    { op: 'ReduceMean', inputs: ['states'], outputs: ['mean'], attributes: { axes: [1, 2], keepdims: 0 } },
    { op: 'Add', inputs: ['mean', 'middle'], outputs: ['sum'] },
    { op: 'Reshape', inputs: ['sum', 'column'], outputs: ['quality'] },
  ],
};

/** @returns its address */
async function start(): Promise<string> {
  const folder = tempFolder();
  const made = spawnSync(python!, ['-m', 'tests.serve.tiny_llava', folder], {
    cwd: TRAINING,
    encoding: 'utf8',
  });
  expect(made.status, made.stderr).toBe(0);
  const args = ['-m', 'assay_training', 'serve', '--model', folder, '--name', 'tiny', '--port', '0'];
  const server = spawn(python!, args, { cwd: TRAINING, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void server.kill());
  const [line] = (await once(createInterface({ input: server.stdout! }), 'line')) as [string];
  return /http:\S+/.exec(line)![0];
}

describe.skipIf(!python)('the reference server', () => {
  const { data, width, height } = picture(64, 48);
  const items = [
    {
      ...{ id: 'a', source: null, prompt: 'a cat' },
      fetch: () => ({ kind: 'raw' as const, format: 'rgb8' as const, bytes: data, width, height }),
    },
  ];
  const client = { client: 'test', signal: AbortSignal.timeout(180_000) };

  it('gives a scorer the states it judges by, and a judge the probabilities of five words', async () => {
    const url = await start();
    const models = tempFolder();
    writeModel(models, {
      ...{ id: 'test-told', graph },
      edit: (m) =>
        Object.assign(m, {
          image: { ...m.image, input: null },
          language: {
            ...{ model: 'tiny', width: WIDTH },
            inputs: [
              {
                ...{ input: 'states', pool: 'none' },
                turns: [
                  { role: 'user', text: 'what do you see' },
                  { role: 'assistant' },
                  { role: 'user', text: 'is the image good' },
                ],
              },
            ],
          },
          maxBatch: 1,
          aspects: { ...m.aspects, quality: { ...m.aspects.quality!, kind: 'mean' } },
        }),
    });
    const config = loadConfig(
      {
        ...{ dataDir: join(models, 'data'), logLevel: 'silent', modelDirs: [models] },
        languageModels: { 'test-told': { url, model: 'tiny', maxTokens: 8 } },
        judges: { vlm: { url, model: 'tiny', maxTokens: 1 } },
      },
      undefined,
      {},
    );
    const runtime = openRuntime({ config });
    onTestFinished(() => runtime.close());
    const [told] = await runtime.score({ items, scorer: 'test-told', ...client });
    expect(told!.error).toBeNull();
    const { raw } = told!.aspects!.quality!;
    // More than the middle: the mean of what the model holds, which is never all zeros.
    expect(Math.abs(raw! - 2.5)).toBeGreaterThan(1e-4);
    expect(told!.timings!.tokens).toBeGreaterThan(2 * 17);
    const [judged] = await runtime.score({ items, scorer: 'vlm', ...client });
    expect(judged!.error).toBeNull();
    const { probabilities } = judged!.aspects!.alignment!.distribution!;
    expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 6);
    expect(probabilities.filter((p) => p > 0).length).toBeGreaterThan(1);
  }, 180_000);
});
