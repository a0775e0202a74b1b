/**
 * A real ComfyUI as a child process, without a GPU or any checkpoint. Where it is: COMFYUI_DIR (its checkout) and
 * COMFYUI_PYTHON (the Python that has its requirements; `python3` when unset). PYTHONPATH is passed on.
 *
 * @example
 * describe.skipIf(!hasReal)('on a real ComfyUI', () => {
 *   beforeAll(async () => { comfy = await startReal({ packs: [folder] }); }, START_MS);
 *   afterAll(() => comfy.stop());
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../child.ts';
import { type ProcessHost, startProcess } from '../process-host.ts';

const { COMFYUI_DIR, COMFYUI_PYTHON = 'python3' } = process.env;

/** Whether the environment names a ComfyUI. */
export const hasReal = Boolean(COMFYUI_DIR);

export { START_MS } from '../process-host.ts';

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

export type RealHost = ProcessHost;

/** @throws when it is not ready within START_MS, with the end of its log */
export async function startReal(options: RealOptions = {}): Promise<RealHost> {
  const baseDir = mkdtempSync(join(tmpdir(), 'assay-comfyui-'));
  prepare(baseDir, options);
  const port = options.port ?? (await freePort());
  return startProcess({
    ...{ title: 'ComfyUI', baseDir, outputDir: join(baseDir, 'output') },
    ...{ url: `http://127.0.0.1:${port}`, probe: '/system_stats' },
    command: COMFYUI_PYTHON,
    args: argumentsOf(baseDir, port, options),
    options: {
      ...(COMFYUI_DIR !== undefined && { cwd: COMFYUI_DIR }),
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...options.env },
    },
  });
}

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

function argumentsOf(baseDir: string, port: number, { flags = [] }: RealOptions): string[] {
  const own = ['--cpu', '--disable-api-nodes', '--port', `${port}`, '--base-directory', baseDir];
  const state = ['--user-directory', join(baseDir, 'user'), '--database-url', 'sqlite:///:memory:'];
  return ['main.py', ...own, ...state, ...frontEnd(baseDir), ...flags];
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
