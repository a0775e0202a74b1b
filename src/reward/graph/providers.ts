/** Which execution providers this machine offers, found without loading the runtime. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { PROVIDERS, type Provider } from '../../config.ts';

export interface ProviderStatus {
  name: Provider;
  available: boolean;
  /** Why not, when it is not. */
  reason: string;
  /** What would make it available. */
  install: string;
}

/** Without a preference, the first of these that is there. TensorRT only on request: it builds engines for minutes. */
const AUTOMATIC: Provider[] = ['cuda', 'coreml', 'dml', 'webgpu', 'cpu'];

const INSTALL: Record<Provider, string> = {
  cpu: 'nothing to install',
  cuda: 'Install an NVIDIA driver, then run `npm run gpu` (fetches the CUDA files of onnxruntime).',
  tensorrt: 'Install TensorRT, then run `npm run gpu`.',
  webgpu: 'Needs a GPU with a Vulkan, Metal or Direct3D 12 driver.',
  coreml: 'CoreML is part of macOS; there is nothing to install elsewhere.',
  dml: 'DirectML is part of Windows; there is nothing to install elsewhere.',
};

/** Folder of the package onnxruntime-node. */
const runtimeFolder = (): string =>
  dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));

/** Version of onnxruntime-node. */
export const runtimeVersion = (): string =>
  JSON.parse(readFileSync(join(runtimeFolder(), 'package.json'), 'utf8')).version;

/** Folder of onnxruntime's shared libraries. */
function libraryFolder(): string {
  const bin = join(runtimeFolder(), 'bin');
  const napi = existsSync(bin) ? (readdirSync(bin).find((f) => f.startsWith('napi')) ?? '') : '';
  return join(bin, napi, platform(), arch());
}

const hasLibrary = (provider: string): boolean => {
  const name = `onnxruntime_providers_${provider}`;
  const folder = libraryFolder();
  return existsSync(folder) && readdirSync(folder).some((f) => f.includes(name));
};

const hasNvidiaGpu = (): boolean =>
  platform() === 'win32' || existsSync('/dev/nvidiactl') || existsSync('/dev/nvidia0');

const hasRenderNode = (): boolean =>
  platform() !== 'linux' ||
  hasNvidiaGpu() ||
  (existsSync('/dev/dri') && readdirSync('/dev/dri').some((f) => f.startsWith('renderD')));

/** Why a provider cannot be used here, or an empty text when it can. */
function obstacle(provider: Provider): string {
  switch (provider) {
    case 'cpu':
      return '';
    case 'cuda':
    case 'tensorrt':
      if (!hasNvidiaGpu()) return 'no NVIDIA GPU found';
      return hasLibrary(provider) ? '' : 'its files are not installed';
    case 'webgpu':
      return hasRenderNode() ? '' : 'no GPU device found';
    case 'coreml':
      return platform() === 'darwin' ? '' : 'only on macOS';
    case 'dml':
      return platform() === 'win32' ? '' : 'only on Windows';
  }
}

/** The state of one provider on this machine. */
export function providerStatus(name: Provider): ProviderStatus {
  const reason = obstacle(name);
  return { name, available: reason === '', reason, install: INSTALL[name] };
}

/** The state of every provider that Assay knows. */
export const listProviders = (): ProviderStatus[] => PROVIDERS.map(providerStatus);

/** A note on a requested provider that is not there: `cuda: no NVIDIA GPU found. Install …`. */
const note = (s: ProviderStatus): string => `${s.name} is not available: ${s.reason}. ${s.install}`;

/**
 * Providers to try, in order, ending in `cpu`.
 *
 * @param wanted in order of preference; empty means what is there
 * @returns `notes` has a line for each wanted provider that is missing
 */
export function chooseProviders(wanted: readonly Provider[]): { providers: Provider[]; notes: string[] } {
  const states = (wanted.length > 0 ? wanted : AUTOMATIC).map(providerStatus);
  const providers = states.filter((s) => s.available).map((s) => s.name);
  const notes = wanted.length > 0 ? states.filter((s) => !s.available).map(note) : [];
  return { providers: [...new Set<Provider>([...providers, 'cpu'])], notes };
}
