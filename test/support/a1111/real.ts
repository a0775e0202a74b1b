/**
 * Real hosts of the family as child processes, on the CPU, each run in a data folder of its own. Where they are:
 * FORGE_DIR and SDNEXT_DIR (their checkouts, with a checkpoint in models/Stable-diffusion), FORGE_PYTHON and
 * SDNEXT_PYTHON (the Pythons that have their requirements; `python3` when unset). The rest of the environment is passed on.
 *
 * @example
 * for (const real of REALS)
 *   describe.skipIf(!real.isThere)(`on a real ${real.title}`, () => { … await real.start() … });
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { freePort } from '../child.ts';
import { type ProcessHost, START_MS, startProcess } from '../process-host.ts';

export { START_MS };

export type RealWebui = ProcessHost;

export interface Real {
  title: 'Forge' | 'SD.Next';
  version: RegExp;
  variable: string;
  isThere: boolean;
  /** Whether it refuses a script that it does not have; SD.Next takes the request, and fails or goes on without. */
  knowsScripts: boolean;
  start(options?: RealOptions): Promise<RealWebui>;
}

export interface RealOptions {
  /** Added to the environment. */
  env?: Record<string, string>;
  /** Called with its data folder before the start. */
  prepare?(baseDir: string): Promise<unknown>;
}

interface Recipe {
  folder: string | undefined;
  python: string;
  flags(folder: string): string[];
  /** What stands in its config.json. */
  options(folder: string): object;
}

const COMMON = ['--server-name', '127.0.0.1'];

const checkpointsIn = (folder: string): string => join(folder, 'models', 'Stable-diffusion');

/** The name of the first checkpoint, without its ending. */
function checkpointIn(folder: string): string {
  const places = [checkpointsIn(folder)].filter((place) => existsSync(place));
  const names = places.flatMap((place) => readdirSync(place)).filter((name) => name.endsWith('.safetensors'));
  return basename(names[0] ?? 'none', '.safetensors');
}

const FORGE: Recipe = {
  folder: process.env.FORGE_DIR,
  python: process.env.FORGE_PYTHON ?? 'python3',
  flags: (folder) => [
    ...[
      '--skip-prepare-environment',
      '--skip-install',
      '--skip-torch-cuda-test',
      '--skip-python-version-check',
    ],
    ...['--skip-version-check', '--no-download-sd-model', '--always-cpu', '--all-in-fp32', '--api'],
    ...['--ckpt-dir', checkpointsIn(folder)],
  ],
  options: () => ({ show_progress_type: 'Approx cheap', samples_save: true }),
};

const SDNEXT: Recipe = {
  folder: process.env.SDNEXT_DIR,
  python: process.env.SDNEXT_PYTHON ?? 'python3',
  flags: (folder) => [
    ...['--skip-all', '--skip-torch', '--skip-git', '--skip-requirements', '--skip-extensions', '--quick'],
    ...['--experimental', '--models-dir', join(folder, 'models')],
  ],
  options: (folder) => ({
    ...readOptions(folder),
    ...{
      offline_mode: true,
      diffusers_pipeline: 'Stable Diffusion',
      sd_model_checkpoint: checkpointIn(folder),
    },
    ...{ show_progress_type: 'Approximate', live_preview_refresh_period: 100, samples_format: 'png' },
  }),
};

/** What its user has set there, so that it finds its model. */
function readOptions(folder: string): object {
  const path = join(folder, 'config.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

async function start(
  title: string,
  { folder = '', python, flags, options }: Recipe,
  { env: added, prepare }: RealOptions = {},
): Promise<RealWebui> {
  const baseDir = mkdtempSync(join(tmpdir(), 'assay-webui-'));
  const outputDir = join(baseDir, 'outputs');
  mkdirSync(outputDir);
  writeFileSync(join(baseDir, 'config.json'), JSON.stringify(options(folder)));
  await prepare?.(baseDir);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  return startProcess({
    ...{ title, baseDir, outputDir, url, probe: '/sdapi/v1/options' },
    command: python,
    args: ['launch.py', ...COMMON, '--port', `${port}`, '--data-dir', baseDir, ...flags(folder)],
    options: {
      cwd: folder,
      env: {
        ...process.env,
        ...{ PYTHONUNBUFFERED: '1', HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', PIP_NO_INDEX: '1' },
        GRADIO_ANALYTICS_ENABLED: 'False',
        ...added,
      },
    },
    warmUp: () => loadModel(url),
  });
}

/** The first picture takes as long as the model does, and SD.Next answers without one until its model is there. */
async function loadModel(url: string): Promise<void> {
  const body = JSON.stringify({ prompt: 'first', steps: 1, width: 64, height: 64 });
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(START_MS);
  for (;;) {
    const answer = await fetch(`${url}/sdapi/v1/txt2img`, { method: 'POST', body, headers, signal });
    const { images } = (await answer.json()) as { images?: string[] };
    if (images && images.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

export const REALS: readonly Real[] = [
  {
    ...{
      title: 'Forge',
      version: /^f2\.0\.1v1\.10\.1/,
      variable: 'FORGE_DIR',
      isThere: Boolean(FORGE.folder),
    },
    knowsScripts: true,
    start: (options) => start('Forge', FORGE, options),
  },
  {
    ...{
      title: 'SD.Next',
      version: /^\d{4}-\d\d-\d\d/,
      variable: 'SDNEXT_DIR',
      isThere: Boolean(SDNEXT.folder),
    },
    knowsScripts: false,
    start: (options) => start('SD.Next', SDNEXT, options),
  },
];
