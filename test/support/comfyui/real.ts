/**
 * A real ComfyUI as a child process, without a GPU or any checkpoint. Where it is: COMFYUI_DIR (its checkout) and
 * COMFYUI_PYTHON (the Python that has its requirements; `python3` when unset). PYTHONPATH is passed on.
 *
 * @example
 * describe.skipIf(!hasReal)('on a real ComfyUI', () => {
 *   beforeAll(async () => { comfy = await startReal({ packs: [folder] }); }, START_MS);
 *   afterAll(() => comfy.stop());
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, endChild, freePort } from '../child.ts';
import type { TestHost } from '../test-host.ts';

const { COMFYUI_DIR, COMFYUI_PYTHON = 'python3' } = process.env;

/** Whether the environment names a ComfyUI. */
export const hasReal = Boolean(COMFYUI_DIR);

/** Longest time for a start; give a hook that starts one a little more. */
export const START_MS = 300_000;

/** The nodes of the test pack: AssayTestSteps, AssayTestFail and so on. */
export const TEST_PACK = fileURLToPath(new URL('test-pack', import.meta.url));

export interface RealOptions {
  /** Folders put into custom_nodes under their own names. */
  packs?: string[];
  /** Copies the packs; else they are links. */
  copy?: boolean;
  /** A free one when absent. */
  port?: number;
  /** Further command-line flags. */
  flags?: string[];
  /** Added to the environment. */
  env?: Record<string, string>;
}

export interface RealHost extends TestHost {
  readonly pid: number;
  /** All that it has written so far, of every start. */
  log(): string;
}

/** @throws when it is not ready within START_MS, with the end of its log */
export async function startReal(options: RealOptions = {}): Promise<RealHost> {
  const baseDir = mkdtempSync(join(tmpdir(), 'assay-comfyui-'));
  prepare(baseDir, options);
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const lines: string[] = [];
  const begin = () => launch(baseDir, port, options, lines);
  let child = begin();
  const killNow = () => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const stop = async () => {
    await endChild(child);
    process.off('exit', killNow);
    rmSync(baseDir, { recursive: true, force: true });
  };
  try {
    await ready(child, url, lines);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    baseDir,
    outputDir: join(baseDir, 'output'),
    get pid() {
      return child.pid!;
    },
    log: () => lines.join(''),
    stop,
    async restart() {
      await endChild(child);
      child = begin();
      await ready(child, url, lines);
    },
  };
}

const ready = (child: ChildProcess, url: string, lines: string[]): Promise<void> =>
  answers(child, `${url}/system_stats`, 'ComfyUI', lines, START_MS);

/** The folders that it expects to find. */
function prepare(baseDir: string, { packs = [], copy = false }: RealOptions): void {
  for (const name of ['custom_nodes', 'input', 'output', 'temp', 'models', 'user'])
    mkdirSync(join(baseDir, name));
  for (const pack of packs) {
    const target = join(baseDir, 'custom_nodes', basename(pack));
    if (copy) cpSync(pack, target, { recursive: true });
    else symlinkSync(pack, target);
  }
}

function launch(baseDir: string, port: number, options: RealOptions, lines: string[]): ChildProcess {
  const flags = ['--cpu', '--disable-api-nodes', '--port', `${port}`, '--base-directory', baseDir];
  const state = ['--user-directory', join(baseDir, 'user'), '--database-url', 'sqlite:///:memory:'];
  const child = spawn(
    COMFYUI_PYTHON,
    ['main.py', ...flags, ...state, ...frontEnd(baseDir), ...(options.flags ?? [])],
    {
      cwd: COMFYUI_DIR,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => lines.push(String(chunk)));
  child.on('error', (error) => lines.push(`${error.message}\n`));
  return child;
}

/** It does not start without a front end: a page of one line will do where the package is missing. */
function frontEnd(baseDir: string): string[] {
  const { status } = spawnSync(COMFYUI_PYTHON, ['-c', 'import comfyui_frontend_package']);
  if (status === 0) return [];
  const folder = join(baseDir, 'front-end');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<title>ComfyUI</title>');
  return ['--front-end-root', folder];
}
