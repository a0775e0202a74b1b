/** Keeps dependencies quiet: what they would send or keep on their own account is switched off before they load. */
import { join } from 'node:path';

const SILENCE = {
  // onnxruntime would look up a telemetry host, keep a device id and events under ~/.cache, and leave files in /tmp.
  ORT_DISABLE_TELEMETRY: '1',
  // https://consoledonottrack.com: for what a dependency may bring one day.
  DO_NOT_TRACK: '1',
};

/**
 * To be called on the main thread before a native library loads on any: it reads the environment of the process, of
 * which a worker has only a copy.
 */
export const silence = (): void => void Object.assign(process.env, SILENCE);

/** Folders for what drivers compile for a GPU (CUDA, NVIDIA's and Mesa's Vulkan), which else lie in the user's home. */
const CACHES = {
  CUDA_CACHE_PATH: 'cuda',
  __GL_SHADER_DISK_CACHE_PATH: 'gl',
  MESA_SHADER_CACHE_DIR: 'mesa',
};

/** Gives the drivers a place in `folder`, unless the user gave them one. To be called like `silence`. */
export function keepCachesIn(folder: string): void {
  for (const [variable, name] of Object.entries(CACHES)) process.env[variable] ??= join(folder, name);
}
