/** A GPU in software: the one that Debian's `chromium` brings. It is slow, and has no float16. */
import { existsSync } from 'node:fs';
import type { Environment } from './cli.ts';

const CHROMIUM = '/usr/lib/chromium';
const DRIVER = `${CHROMIUM}/vk_swiftshader_icd.json`;

/** Why tests cannot run on it; undefined when they can. */
export const noSoftwareGpu = (): string | undefined =>
  process.platform === 'linux' && existsSync(DRIVER) ? undefined : `there is no ${DRIVER}`;

/** What a process must be started with to find it. */
export const softwareGpu = (runtimeDir: string): Environment => ({
  LD_LIBRARY_PATH: CHROMIUM,
  VK_DRIVER_FILES: DRIVER,
  XDG_RUNTIME_DIR: runtimeDir,
});
