/** A real ComfyUI with the node pack in it, where `COMFYUI_DIR` names one; `COMFYUI_PYTHON` runs it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { tempFolder } from '../support/files.ts';

export const PACK = fileURLToPath(new URL('../../python-shim/comfyui', import.meta.url));

const folder = process.env.COMFYUI_DIR;
const python = process.env.COMFYUI_PYTHON ?? 'python3';

/** Why there is no real ComfyUI to run against; undefined when there is. */
export const noComfyui = ((): string | undefined => {
  if (!folder) return 'no ComfyUI: set COMFYUI_DIR';
  const { status } = spawnSync(python, ['-c', 'import torch, msgpack, comfyui_frontend_package']);
  return status === 0 ? undefined : 'the Python of ComfyUI lacks torch, msgpack or the frontend package';
})();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

export interface Comfyui {
  url: string;
  /** Base directory: `output`, `input` and so on lie in it. */
  base: string;
}

export interface ComfyuiOptions {
  /** Address of the daemon. */
  daemon: string;
  /** Leaves the pack's page extension out. */
  isWithoutPage?: boolean;
}

function prepare(base: string, isWithoutPage: boolean): void {
  for (const name of ['custom_nodes', 'input', 'output', 'temp', 'models', 'user/default'])
    mkdirSync(join(base, name), { recursive: true });
  writeFileSync(
    join(base, 'user/default/comfy.settings.json'),
    JSON.stringify({ 'Comfy.TutorialCompleted': true }),
  );
  const place = join(base, 'custom_nodes/assay');
  if (isWithoutPage) cpSync(PACK, place, { recursive: true, filter: (path) => !path.endsWith('.js') });
  else symlinkSync(PACK, place);
}

/** Starts ComfyUI and waits until it answers; it ends with the test. */
export async function comfyui({ daemon, isWithoutPage = false }: ComfyuiOptions): Promise<Comfyui> {
  const base = tempFolder();
  prepare(base, isWithoutPage);
  const port = await freePort();
  const args = ['main.py', '--cpu', '--disable-api-nodes', '--port', String(port), '--base-directory', base];
  args.push('--user-directory', join(base, 'user'), '--database-url', 'sqlite:///:memory:');
  const env = { ...process.env, ASSAY_URL: daemon, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(python, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => stop(child));
  const url = `http://127.0.0.1:${port}`;
  await answers(`${url}/system_stats`, child);
  return { url, base };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  let log = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk) => {
      log = (log + chunk).slice(-4000);
    });
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`ComfyUI does not answer: ${log}`);
}
