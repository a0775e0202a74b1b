/** Which execution providers this machine offers, and which of them to load. */
import { existsSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { PROVIDERS, type Provider } from '../../config.ts';
import type { Precision } from './onnx/widen.ts';
import { hasLibrary } from './runtime.ts';
import { knownTrial, type Trial, tryProvider } from './trials.ts';

export interface ProviderStatus {
  name: Provider;
  available: boolean;
  /** Why not, when it is not. */
  reason: string;
  /** What is to be known of it when it is; may be empty. */
  remark: string;
  /** What would make it available. */
  install: string;
  /** How it computes. */
  precision: Precision;
}

/** Without a preference, the first of these that works, and is faster than the CPU. TensorRT builds engines for minutes. */
const AUTOMATIC: Provider[] = ['cuda', 'coreml', 'dml', 'webgpu'];

const INSTALL: Record<Provider, string> = {
  cpu: 'nothing to install',
  cuda: 'Install an NVIDIA driver, then run `npm run gpu` (fetches the CUDA files of onnxruntime).',
  tensorrt: 'Install TensorRT, then run `npm run gpu`.',
  webgpu: 'Needs a GPU with a Vulkan, Metal or Direct3D 12 driver.',
  coreml: 'CoreML is part of macOS; there is nothing to install elsewhere.',
  dml: 'DirectML is part of Windows; there is nothing to install elsewhere.',
};

const LOADER = 'libvulkan.so.1';

/** Whether Linux would find Vulkan: in its list of libraries, or where this process was told to look. */
function hasVulkan(): boolean {
  const told = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  if (told.some((folder) => existsSync(`${folder}/${LOADER}`))) return true;
  try {
    return readFileSync('/etc/ld.so.cache').includes(LOADER);
  } catch {
    return true; // no such list: the runtime will tell
  }
}

/** Why a provider cannot be here, known without trying; empty when it may. */
function obstacle(provider: Provider): string {
  switch (provider) {
    case 'cpu':
      return '';
    case 'cuda':
    case 'tensorrt':
      return hasLibrary(`onnxruntime_providers_${provider}`) ? '' : 'its files are not installed';
    case 'webgpu':
      return platform() !== 'linux' || hasVulkan() ? '' : `Vulkan is not installed (${LOADER})`;
    case 'coreml':
      return platform() === 'darwin' ? '' : 'only on macOS';
    case 'dml':
      return platform() === 'win32' ? '' : 'only on Windows';
  }
}

function statusOf(name: Provider, trial: Trial | undefined): ProviderStatus {
  const reason = obstacle(name) || (name === 'cpu' ? '' : (trial?.reason ?? 'not tried yet'));
  const precision = trial?.half ? 'float16' : 'float32';
  const remark = trial?.reason === '' ? remarkOn(trial) : '';
  return { name, available: reason === '', reason, remark, install: INSTALL[name], precision };
}

/** `float16, 12 times as fast as the CPU`. */
function remarkOn({ half, speed }: Trial): string {
  const precision = half ? 'float16' : 'float32';
  if (speed === null) return precision;
  const times =
    speed >= 1 ? `${speed.toFixed(1)} times as fast as` : `${(1 / speed).toFixed(1)} times slower than`;
  return `${precision}, ${times} the CPU${speed >= 1 ? '' : ': used only when it is asked for'}`;
}

const isPossible = (name: Provider): boolean => name !== 'cpu' && obstacle(name) === '';
/** Some machines have a program in the place of a GPU: it works, and the CPU is better off without it. */
const isWorthwhile = (trial: Trial): boolean => trial.speed !== null && trial.speed >= 1;

/** The state of every provider that Assay knows, as far as they were tried. */
export const knownProviders = (dataDir: string | undefined): ProviderStatus[] =>
  PROVIDERS.map((name) => statusOf(name, isPossible(name) ? knownTrial(name, dataDir) : undefined));

/** The same, with every one that may be here tried. @param again even those that were tried before */
export async function tryProviders(dataDir: string | undefined, again = false): Promise<ProviderStatus[]> {
  for (const name of PROVIDERS) if (isPossible(name)) await tryProvider(name, dataDir, again);
  return knownProviders(dataDir);
}

/** Tries what `chooseProviders` has to know. One after the other: they share the devices. */
export async function explore(wanted: readonly Provider[], dataDir: string | undefined): Promise<void> {
  for (const name of wanted.length > 0 ? wanted : AUTOMATIC) {
    if (!isPossible(name)) continue;
    const trial = await tryProvider(name, dataDir);
    if (wanted.length === 0 && isWorthwhile(trial)) return;
  }
}

/** A note on a requested provider that is not there: `cuda is not available: its files are not installed. Install …`. */
const note = (s: ProviderStatus): string => `${s.name} is not available: ${s.reason}. ${s.install}`;

export interface Choice {
  /** To try, in order, ending in `cpu`. */
  providers: Provider[];
  /** Of the first. */
  precision: Precision;
  /** A line for each wanted provider that is missing. */
  notes: string[];
}

/** @param wanted in order of preference; empty means the best one that is known to be there */
export function chooseProviders(wanted: readonly Provider[], dataDir: string | undefined): Choice {
  const known = knownProviders(dataDir);
  const stateOf = (name: Provider) => known.find((status) => status.name === name)!;
  const best = AUTOMATIC.find((name) => {
    const trial = isPossible(name) ? knownTrial(name, dataDir) : undefined;
    return trial?.reason === '' && isWorthwhile(trial);
  });
  const states = (wanted.length > 0 ? wanted : best ? [best] : []).map(stateOf);
  const providers = states.filter((s) => s.available).map((s) => s.name);
  return {
    providers: [...new Set<Provider>([...providers, 'cpu'])],
    precision: stateOf(providers[0] ?? 'cpu').precision,
    notes: states.filter((s) => !s.available).map(note),
  };
}
