/**
 * `assay best` on a real ComfyUI, against the same prompts put into its queue all at once: milliseconds a trial, of the
 * host's clock from the first start to the last end, and how long it stood between two. (It collects its garbage every ten
 * seconds, which takes it a second or two here.) The node works for a while, as a sampler does, and each image is scored.
 * COMFYUI_DIR names the checkout, COMFYUI_PYTHON the Python that runs it.
 *
 * With `--data DIR` (rated images) it measures what `--previews` spares and loses, in place of that.
 *
 * npm run bench:study-host [-- --trials 40] [-- --ms 1000] [-- --scorer ID] [-- --data DIR --prompts 4 --measured 40]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, round } from '../src/bench/figures.ts';
import { hasReal, startReal, TEST_PACK } from '../test/support/comfyui/real.ts';
import { benchPreviews } from './study-host/previews.ts';

const CLI = fileURLToPath(new URL('../src/cli/index.ts', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    trials: { type: 'string', default: '40' },
    ms: { type: 'string', default: '1000' },
    scorer: { type: 'string', default: 'assay-lite' },
    data: { type: 'string' },
    prompts: { type: 'string', default: '4' },
    measured: { type: 'string', default: '40' },
  },
});
if (!hasReal) throw new Error('set COMFYUI_DIR to a checkout of ComfyUI');

const STEPS = 10;
const workflow = {
  1: { class_type: 'AssayTestPicture', inputs: { seed: 1 } },
  2: {
    class_type: 'ImageScale',
    inputs: { image: ['1', 0], upscale_method: 'bilinear', width: 512, height: 512, crop: 'disabled' },
  },
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

/** Runs that the host has ended, beyond the first `before`, in their order. */
async function runsAfter(url: string, before: number): Promise<[number, number][]> {
  const history = (await (await fetch(`${url}/history`)).json()) as Record<string, Entry>;
  return Object.values(history)
    .map(timesOf)
    .toSorted((a, b) => a[0] - b[0])
    .slice(before);
}

/** Queues as many prompts at once, and waits until all have ended. */
async function queueAll(url: string, count: number): Promise<[number, number][]> {
  for (let seed = 1; seed <= count; seed++) {
    const prompt = { ...workflow, 1: { ...workflow[1], inputs: { seed } } };
    await fetch(`${url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt }) });
  }
  for (;;) {
    const runs = await runsAfter(url, 0);
    if (runs.length >= count) return runs;
    await pause(500);
  }
}

function figuresOf(runs: [number, number][]) {
  const idle = runs.slice(1).map(([begun], i) => begun - runs[i]![1]);
  return {
    msATrial: round((runs.at(-1)![1] - runs[0]![0]) / runs.length, 1),
    idleMs: { median: round(median(idle), 1), longest: idle.toSorted((a, b) => b - a).slice(0, 4) },
  };
}

async function overhead(folder: string): Promise<object> {
  const host = await startReal({ packs: [TEST_PACK] });
  try {
    return await compare(host.url, folder);
  } finally {
    await host.stop();
  }
}

async function compare(url: string, folder: string): Promise<object> {
  const file = join(folder, 'workflow.json');
  writeFileSync(file, JSON.stringify(workflow));
  const count = Number(flags.trials);
  const bare = await queueAll(url, count);
  const args = ['best', file, '--comfyui', url, '--images', flags.trials, '--out', join(folder, 'study')];
  const scorer = ['--scorer', flags.scorer, '--data-dir', folder];
  const { status } = spawnSync(process.execPath, [CLI, ...args, ...scorer], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`assay best ended with ${status}`);
  const [alone, study] = [figuresOf(bare), figuresOf(await runsAfter(url, count))];
  const overheadMs = round(study.msATrial - alone.msATrial, 1);
  return { trials: count, alone, study, overheadMs };
}

const folder = mkdtempSync(join(tmpdir(), 'assay-bench-'));
try {
  const { data, scorer, trials, ms, prompts, measured } = flags;
  const numbers = { prompts: Number(prompts), measured: Number(measured), images: Number(trials) };
  const found =
    data === undefined
      ? await overhead(folder)
      : await benchPreviews({ data, folder, scorer, ...numbers, stepMs: Number(ms) / STEPS });
  process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
