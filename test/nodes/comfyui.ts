/** A real ComfyUI with the node pack in it; see test/support/comfyui/real.ts for where it is found. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { hasReal, type RealHost, startReal } from '../support/comfyui/real.ts';
import { tempFolder } from '../support/files.ts';

export const PACK = fileURLToPath(new URL('../../python-shim/comfyui', import.meta.url));

/** Why there is no real ComfyUI to run against; undefined when there is. */
export const noComfyui = ((): string | undefined => {
  if (!hasReal) return 'no ComfyUI: set COMFYUI_DIR';
  const python = process.env.COMFYUI_PYTHON ?? 'python3';
  const { status } = spawnSync(python, ['-c', 'import torch, msgpack, comfyui_frontend_package']);
  return status === 0 ? undefined : 'the Python of ComfyUI lacks torch, msgpack or the frontend package';
})();

interface Options {
  /** Address of the daemon. */
  daemon: string;
  /** Leaves the pack's page extension out. */
  isWithoutPage?: boolean;
  /** Further packs. */
  packs?: string[];
  /** Further variables. */
  env?: Record<string, string>;
}

function packFolder(isWithoutPage: boolean): string {
  const place = join(tempFolder(), 'assay');
  if (isWithoutPage) cpSync(PACK, place, { recursive: true, filter: (path) => !path.endsWith('.js') });
  else symlinkSync(PACK, place);
  return place;
}

/** Starts ComfyUI and waits until it answers; it ends with the test. */
export async function comfyui({
  daemon,
  isWithoutPage = false,
  packs = [],
  env = {},
}: Options): Promise<RealHost> {
  const host = await startReal({
    packs: [packFolder(isWithoutPage), ...packs],
    env: { ...env, ASSAY_URL: daemon },
  });
  onTestFinished(() => host.stop());
  const user = join(host.baseDir, 'user/default');
  mkdirSync(user, { recursive: true });
  // a first visit would open the template browser over the workflow
  writeFileSync(join(user, 'comfy.settings.json'), JSON.stringify({ 'Comfy.TutorialCompleted': true }));
  return host;
}
