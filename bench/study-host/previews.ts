/**
 * `assay best` on a real ComfyUI that plays rated images with previews, as it is and with `--previews`: time, work and
 * the winner's score for as many seeds, prompt by prompt.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { round } from '../../src/bench/figures.ts';
import { readRatings } from '../../src/eval/ratings/ratings.ts';
import { startReal } from '../../test/support/comfyui/real.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
const RATED_PACK = fileURLToPath(new URL('../../test/support/comfyui/rated-pack', import.meta.url));

export interface PreviewsBench {
  /** With ratings.csv and images/. */
  data: string;
  /** For files of the bench. */
  folder: string;
  prompts: number;
  /** Images that are made to measure previews, and as a search. */
  measured: number;
  images: number;
  scorer: string;
  /** A step takes at least so long. */
  stepMs: number;
}

export async function benchPreviews(bench: PreviewsBench): Promise<object> {
  const { rows } = readRatings(join(bench.data, 'ratings.csv'));
  const all = [...new Set(rows.map(({ prompt }) => prompt!))];
  const step = Math.max(1, Math.floor(all.length / bench.prompts));
  const prompts = all.filter((_, i) => i % step === 0).slice(0, bench.prompts);
  const host = await startReal({ packs: [RATED_PACK], env: { RATED_IMAGES_DIR: bench.data } });
  try {
    return { ...bench, results: prompts.map((prompt, i) => onePrompt(bench, host.url, prompt, i)) };
  } finally {
    await host.stop();
  }
}

/** Runs a command of the checkout. @returns the last line that it prints, how many trials it told before, and how long it took */
function run(args: string[]): { last: Record<string, never>; trials: number; ms: number } {
  const begun = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`assay ${args[0]} ended with ${status}: ${stderr}`);
  const lines = stdout.trimEnd().split('\n');
  const trials = lines.filter((line) => line.startsWith('{"trial"')).length;
  return { last: JSON.parse(lines.at(-1)!), trials, ms: performance.now() - begun };
}

function onePrompt(bench: PreviewsBench, url: string, prompt: string, i: number): object {
  const file = join(bench.folder, `prompt-${i}.json`);
  const inputs = { prompt, seed: 1, steps: 20, ms: bench.stepMs };
  const save = { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'bench' } };
  writeFileSync(file, JSON.stringify({ 1: { class_type: 'AssayTestRated', inputs }, 9: save }));
  const common = [
    '--comfyui',
    url,
    '--scorer',
    bench.scorer,
    '--data-dir',
    bench.folder,
    '--format',
    'jsonl',
  ];
  const judged = [...common, '--prompt', prompt];
  const out = (name: string) => ['--out', join(bench.folder, `${name}-${i}`)];
  run([
    'calibrate',
    'previews',
    file,
    ...judged,
    '--images',
    `${bench.measured}`,
    '--seed',
    '1',
    ...out('measured'),
  ]);
  const { points } = JSON.parse(readFileSync(file.replace('.json', '.previews.json'), 'utf8'));
  const search = ['best', file, ...judged, '--images', `${bench.images}`, '--seed', '2'];
  const plain = run([...search, ...out('plain')]);
  const early = run([...search, '--previews', ...out('early')]);
  const value = ({ last }: typeof plain) => (last as { winners?: { value: number }[] }).winners?.[0]?.value;
  const told = (one: typeof plain) => ({ seeds: one.trials, ms: round(one.ms, 0), winner: value(one) });
  return {
    prompt,
    srcc: points.map(({ share, srcc, interval }: { share: number; srcc: number; interval: number[] }) => [
      round(share, 2),
      round(srcc, 2),
      round(interval[0]!, 2),
    ]),
    plain: told(plain),
    early: { ...told(early), ...(early.last as { early?: object }).early },
  };
}
