/** The only file that knows onnxruntime. Runs inside a worker thread: a run blocks its thread to the end. */
import * as ort from 'onnxruntime-node';
import { reasonOf } from '../../errors/error.ts';
import type { Session, SessionSpec, Tensor, Tensors } from './tensor.ts';

const toOrt = (t: Tensor): ort.Tensor => new ort.Tensor(t.dtype, t.data as never, t.dims);

function fromOrt(name: string, t: ort.Tensor): Tensor {
  if (t.type === 'float32') return { dtype: 'float32', dims: [...t.dims], data: t.data as Float32Array };
  throw new Error(`output ${name} is ${t.type}; expected float32`);
}

function options(spec: SessionSpec, provider: string, graph: string): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    intraOpNumThreads: spec.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: graph === spec.halfGraph ? 'extended' : 'all',
    logSeverityLevel: 4,
    // Idle threads would otherwise spin on the cores that decode the next images.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

async function load(
  spec: SessionSpec,
): Promise<{ session: ort.InferenceSession; provider: string; notes: string[] }> {
  const notes: string[] = [];
  for (const provider of spec.providers) {
    const graph = provider === 'cpu' ? spec.graph : spec.gpuGraph;
    try {
      return {
        session: await ort.InferenceSession.create(graph, options(spec, provider, graph)),
        provider,
        notes,
      };
    } catch (error) {
      if (provider === spec.providers.at(-1)) throw error;
      notes.push(`${provider} failed to load the model: ${reasonOf(error)}`);
    }
  }
  throw new Error('no execution provider to try');
}

/** Loads an ONNX graph with the first provider that takes it. */
export async function openOnnxSession(spec: SessionSpec): Promise<Session> {
  const { session, provider, notes } = await load(spec);
  return {
    provider,
    notes,
    async run(feeds: Tensors): Promise<Tensors> {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)]));
      const outputs = await session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, fromOrt(name, t)]));
    },
    release: () => session.release(),
  };
}
