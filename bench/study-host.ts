/**
 * `assay best` on a real ComfyUI: how long the host stood idle between the trials, and what each took in all. The node
 * works for a while, as a sampler does, and the image is scored by the scorer of the config meanwhile. COMFYUI_DIR names
 * the checkout, COMFYUI_PYTHON the Python that runs it.
 *
 * npm run bench:study-host [-- --trials 40] [-- --ms 1000] [-- --scorer ID]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, round } from '../src/bench/figures.ts';
import { hasReal, startReal, TEST_PACK } from '../test/support/comfyui/real.ts';

const CLI = fileURLToPath(new URL('../src/cli/index.ts', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    trials: { type: 'string', default: '40' },
    ms: { type: 'string', default: '1000' },
    scorer: { type: 'string', default: 'assay-lite' },
  },
});
if (!hasReal) throw new Error('set COMFYUI_DIR to a checkout of ComfyUI');

const STEPS = 10;
const workflow = {
  1: { class_type: 'EmptyImage', inputs: { width: 512, height: 512, batch_size: 1, color: 0x4080c0 } },
  2: { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed: 1, strength: 0.2 } },
  3: {
    class_type: 'AssayTestSteps',
    inputs: { image: ['2', 0], steps: STEPS, ms: Number(flags.ms) / STEPS },
  },
  9: { class_type: 'SaveImage', inputs: { images: ['3', 0], filename_prefix: 'bench' } },
};

interface Entry {
  status: { messages: [string, { timestamp: number }][] };
}

/** When a run began and ended, in milliseconds of the host's clock. */
const timesOf = ({ status: { messages } }: Entry): [number, number] => [
  messages[0]![1].timestamp,
  messages.at(-1)![1].timestamp,
];

const folder = mkdtempSync(join(tmpdir(), 'assay-bench-'));
const host = await startReal({ packs: [TEST_PACK] });
try {
  const file = join(folder, 'workflow.json');
  writeFileSync(file, JSON.stringify(workflow));
  const args = [
    'best',
    file,
    '--comfyui',
    host.url,
    '--images',
    flags.trials,
    '--out',
    join(folder, 'study'),
  ];
  const { status } = spawnSync(
    process.execPath,
    [CLI, ...args, '--scorer', flags.scorer, '--data-dir', folder],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (status !== 0) throw new Error(`assay best ended with ${status}`);
  const history = (await (await fetch(`${host.url}/history`)).json()) as Record<string, Entry>;
  const runs = Object.values(history)
    .map(timesOf)
    .toSorted((a, b) => a[0] - b[0]);
  const idle = runs.slice(1).map(([begun], i) => begun - runs[i]![1]);
  const own = runs.map(([begun, ended]) => ended - begun);
  const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const figures = {
    trials: runs.length,
    hostMs: round(mean(own), 1),
    overheadMs: { mean: round(mean(idle), 1), median: round(median(idle), 1), worst: Math.max(...idle) },
  };
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
} finally {
  await host.stop();
  rmSync(folder, { recursive: true, force: true });
}
