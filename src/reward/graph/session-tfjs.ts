/**
 * The only file that knows TensorFlow.js. It prefers tfjs-node-gpu where installed, else the wasm backend.
 * Reads graph models and layers models as `tensorflowjs_converter` and `model.save` write them.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail, reasonOf } from '../../errors/error.ts';
import type { Session, SessionSpec, Tensor, Tensors } from './tensor.ts';

type Core = typeof import('@tensorflow/tfjs-core');
type Model = import('@tensorflow/tfjs-core').InferenceModel;
type Loader = (handler: import('@tensorflow/tfjs-core').io.IOHandler) => Promise<Model>;

interface Runtime {
  core: Core;
  provider: string;
  loadGraphModel: Loader;
  loadLayersModel: Loader;
}

interface ModelJson {
  /** A graph model's topology is a list of nodes; a layers model's is a Keras config. Older files state no format. */
  modelTopology: { node?: object[] };
  weightsManifest: { paths: string[]; weights: import('@tensorflow/tfjs-core').io.WeightsManifestEntry[] }[];
}

const INSTALL =
  'Run `npm install @tensorflow/tfjs-core @tensorflow/tfjs-converter @tensorflow/tfjs-backend-wasm`.';

async function nodeGpu(): Promise<Runtime> {
  const name: string = '@tensorflow/tfjs-node-gpu';
  const tf = (await import(name)) as Core & Pick<Runtime, 'loadGraphModel' | 'loadLayersModel'>;
  return {
    core: tf,
    provider: 'tfjs-node-gpu',
    loadGraphModel: tf.loadGraphModel,
    loadLayersModel: tf.loadLayersModel,
  };
}

async function wasm(threads: number): Promise<Runtime> {
  const core = await import('@tensorflow/tfjs-core');
  const converter = await import('@tensorflow/tfjs-converter');
  const backend = await import('@tensorflow/tfjs-backend-wasm');
  core.enableProdMode(); // else it advertises itself on stderr
  backend.setThreadsCount(threads);
  await core.setBackend('wasm');
  await core.ready();
  return {
    core,
    provider: 'tfjs-wasm',
    loadGraphModel: (handler) => converter.loadGraphModel(handler),
    loadLayersModel: async (handler) => {
      const layers = await import('@tensorflow/tfjs-layers');
      return (await layers.loadLayersModel(handler)) as unknown as Model;
    },
  };
}

async function openRuntime(spec: SessionSpec): Promise<{ runtime: Runtime; notes: string[] }> {
  try {
    return { runtime: await nodeGpu(), notes: [] };
  } catch (gpuError) {
    const missing = (gpuError as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
    const notes = missing ? [] : [`tfjs-node-gpu failed to start: ${reasonOf(gpuError)}`];
    try {
      return { runtime: await wasm(spec.threads), notes };
    } catch (cause) {
      throw fail('BACKEND_MISSING', { scorer: spec.scorer, backend: 'tfjs', install: INSTALL }, { cause });
    }
  }
}

function readShards(folder: string, json: ModelJson): ArrayBuffer {
  const shards = json.weightsManifest
    .flatMap((group) => group.paths)
    .map((path) => readFileSync(join(folder, path)));
  const joined = Buffer.concat(shards);
  return joined.buffer.slice(joined.byteOffset, joined.byteOffset + joined.byteLength) as ArrayBuffer;
}

async function loadModel(runtime: Runtime, path: string): Promise<Model> {
  const json = JSON.parse(readFileSync(path, 'utf8')) as ModelJson;
  const artifacts = {
    ...json,
    weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
    weightData: readShards(dirname(path), json),
  };
  const load = json.modelTopology.node ? runtime.loadGraphModel : runtime.loadLayersModel;
  return load({ load: async () => artifacts });
}

/** Graph models name a tensor by node and output slot: `scores:0` is the first output of `scores`. */
const plainName = (name: string): string => name.replace(/:\d+$/, '');

function toTf(core: Core, t: Tensor) {
  const dtype = t.dtype === 'float32' ? 'float32' : 'int32';
  return core.tensor(
    dtype === 'float32' ? (t.data as Float32Array) : Int32Array.from(t.data, Number),
    t.dims,
    dtype,
  );
}

/** Layers models name their inputs and outputs apart from the tensors. */
function names(model: Model): { inputs: string[]; outputs: string[] } {
  const { inputNames, outputNames } = model as Model & { inputNames?: string[]; outputNames?: string[] };
  return {
    inputs: inputNames ?? model.inputs.map((t) => plainName(t.name)),
    outputs: outputNames ?? model.outputs.map((t) => plainName(t.name)),
  };
}

function feedOf(feeds: Tensors, name: string): Tensor {
  const feed = feeds[name];
  if (!feed)
    throw new Error(`the model has an input "${name}"; the manifest feeds ${Object.keys(feeds).join(', ')}`);
  return feed;
}

/** Loads a tfjs `model.json` with its weight shards. @throws BACKEND_MISSING */
export async function openTfjsSession(spec: SessionSpec): Promise<Session> {
  const { runtime, notes } = await openRuntime(spec);
  const { core } = runtime;
  const model = await loadModel(runtime, spec.graph as string);
  const { inputs: inputNames, outputs: outputNames } = names(model);
  return {
    provider: runtime.provider,
    notes,
    async run(feeds: Tensors): Promise<Tensors> {
      const inputs = inputNames.map((name) => toTf(core, feedOf(feeds, name)));
      const predicted = model.predict(inputs, {});
      const outputs = (
        Array.isArray(predicted) ? predicted : [predicted]
      ) as import('@tensorflow/tfjs-core').Tensor[];
      try {
        const read = outputs.map(async (t, i): Promise<[string, Tensor]> => {
          const data = (await t.data()) as Float32Array;
          return [outputNames[i]!, { dtype: 'float32', dims: t.shape, data }];
        });
        return Object.fromEntries(await Promise.all(read));
      } finally {
        core.dispose([...inputs, ...outputs]);
      }
    },
    async release() {
      (model as Model & { dispose?: () => void }).dispose?.();
    },
  };
}
