/** The only file that knows onnxruntime. Runs inside a worker thread: a run blocks its thread to the end. */
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { reasonOf } from '../../errors/error.ts';
import type { Precision } from './onnx/widen.ts';
import type { Session, SessionSpec, Tensor, Tensors } from './tensor.ts';

const toOrt = (t: Tensor): ort.Tensor => new ort.Tensor(t.dtype, t.data as never, t.dims);

function fromOrt(name: string, t: ort.Tensor): Tensor {
  if (t.type === 'float32') return { dtype: 'float32', dims: [...t.dims], data: t.data as Float32Array };
  throw new Error(`output ${name} is ${t.type}; expected float32`);
}

type Options = ort.InferenceSession.SessionOptions;

const MEGABYTE = 1e6;

/**
 * CUDA's arena: it grows by what is asked for, not by powers of two, and to a limit. The binding has no option for it;
 * the runtime reads the settings of a provider from those of the session, too, by either name.
 */
function arenaOf({ gpuMemoryMb }: SessionSpec): Record<string, string> {
  const settings = {
    arena_extend_strategy: 'kSameAsRequested',
    ...(gpuMemoryMb && { gpu_mem_limit: String(gpuMemoryMb * MEGABYTE) }),
  };
  const names = ['ep.cuda', 'ep.cudaexecutionprovider'];
  return Object.fromEntries(
    names.flatMap((name) => Object.entries(settings).map(([key, value]) => [`${name}.${key}`, value])),
  );
}

/** WebGPU keeps the buffers of earlier runs for the next ones, unless memory counts. */
const webgpu = ({ gpuMemoryMb }: SessionSpec) => ({
  name: 'webgpu' as const,
  ...(gpuMemoryMb && { storageBufferCacheMode: 'lazyRelease' }),
});

function executionProviders(spec: SessionSpec, provider: string): Options['executionProviders'] {
  if (provider === 'cpu') return ['cpu'];
  const own = provider === 'webgpu' ? webgpu(spec) : provider;
  return spec.isWhole ? [own] : [own, 'cpu'];
}

function options(spec: SessionSpec, provider: string, graph: string | Uint8Array): Options {
  return {
    executionProviders: executionProviders(spec, provider),
    intraOpNumThreads: spec.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: graph === spec.halfGraph ? 'extended' : 'all',
    logSeverityLevel: 4,
    ...(spec.profile && { enableProfiling: true, profileFilePrefix: spec.profile }),
    extra: {
      // Idle threads would otherwise spin on the cores that decode the next images.
      session: {
        intra_op: { allow_spinning: '0' },
        ...(spec.isWhole && provider !== 'cpu' && { disable_cpu_ep_fallback: '1' }),
      },
      ...(provider === 'cuda' && arenaOf(spec)),
    },
  };
}

interface Model {
  model: string | Uint8Array;
  precision?: Precision | undefined;
}

/** Four-bit products are for CPUs: for other providers, products that each of them has, in the precision it is good at. */
async function modelFor(spec: SessionSpec, provider: string): Promise<Model> {
  if (provider === 'cpu') return { model: spec.graph };
  const { gpuGraph, precision = 'float32' } = spec;
  if (gpuGraph === spec.halfGraph) return { model: gpuGraph };
  const { widened } = await import('./onnx/widen.ts');
  const model = widened(typeof gpuGraph === 'string' ? readFileSync(gpuGraph) : gpuGraph, precision);
  return model ? { model, precision } : { model: gpuGraph };
}

function create(model: string | Uint8Array, own: Options): Promise<ort.InferenceSession> {
  return typeof model === 'string'
    ? ort.InferenceSession.create(model, own)
    : ort.InferenceSession.create(model, own);
}

interface Loaded extends Pick<Session, 'provider' | 'notes' | 'precision'> {
  session: ort.InferenceSession;
}

async function load(spec: SessionSpec): Promise<Loaded> {
  const notes: string[] = [];
  for (const provider of spec.providers) {
    try {
      const { model, precision } = await modelFor(spec, provider);
      const session = await create(model, options(spec, provider, model));
      return { session, provider, notes, precision };
    } catch (error) {
      if (provider === spec.providers.at(-1)) throw error;
      notes.push(`${provider} failed to load the model: ${reasonOf(error)}`);
    }
  }
  throw new Error('no execution provider to try');
}

/** Loads an ONNX graph with the first provider that takes it. */
export async function openOnnxSession(spec: SessionSpec): Promise<Session> {
  const { session, ...about } = await load(spec);
  return {
    ...about,
    async run(feeds: Tensors): Promise<Tensors> {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)]));
      const outputs = await session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, fromOrt(name, t)]));
    },
    async release() {
      if (spec.profile) session.endProfiling();
      await session.release();
    },
  };
}
