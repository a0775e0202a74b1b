/** What below an execution provider may change from one start to the next: its driver, its devices, how they are found. */
import { readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';

/** How programs are told which devices and drivers to use. */
const VARIABLES = [
  ...['CUDA_VISIBLE_DEVICES', 'NVIDIA_VISIBLE_DEVICES', 'LD_LIBRARY_PATH'],
  ...['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'],
];
/** Device files (of WSL 2: dxg), and where Vulkan finds its drivers. */
const FOLDERS: [string, RegExp][] = [
  ['/dev', /^(nvidia|dxg)/],
  ['/dev/dri', /./],
  ['/usr/share/vulkan/icd.d', /./],
  ['/etc/vulkan/icd.d', /./],
];

function namesIn(folder: string, pattern: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** Version of the kernel's NVIDIA driver, else of the system, of which other drivers are a part. */
function version(): string {
  try {
    return readFileSync('/proc/driver/nvidia/version', 'latin1').split('\n')[0]!;
  } catch {
    return release();
  }
}

/** Texts that are the same for the same drivers, devices and settings. */
export const driverFacts = (): string[] => [
  version(),
  ...VARIABLES.map((name) => process.env[name] ?? ''),
  ...FOLDERS.flatMap(([folder, pattern]) => namesIn(folder, pattern)),
];
