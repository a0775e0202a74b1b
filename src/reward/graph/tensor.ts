/** Arrays with a shape, as they travel between prepare, worker and session. */
import type { Precision } from './onnx/widen.ts';

export type Tensor =
  | { dtype: 'uint8'; dims: number[]; data: Uint8Array }
  | { dtype: 'float32'; dims: number[]; data: Float32Array }
  | { dtype: 'int32'; dims: number[]; data: Int32Array }
  | { dtype: 'int64'; dims: number[]; data: BigInt64Array };

/** Tensors by graph input or output name. */
export type Tensors = Record<string, Tensor>;

/** A loaded graph, whichever library runs it. Lives in a worker thread, since runs block theirs. */
export interface Session {
  /** Execution provider in use. */
  readonly provider: string;
  /** Why preferred providers are not used. */
  readonly notes: string[];
  /** What four-bit weights were made of; undefined where they stay as they are. */
  readonly precision?: Precision | undefined;
  run(feeds: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** What a session needs to load. */
export interface SessionSpec {
  /** The scorer as messages call it, with the graph where it has several. */
  scorer: string;
  backend: 'onnx' | 'tfjs';
  /** Graph file, or model, for the CPU, and for other providers. */
  graph: string | Uint8Array;
  gpuGraph: string | Uint8Array;
  /** The graph in float16, if any: on x86 CPUs, the last level of optimisation crashes on such graphs. */
  halfGraph?: string | Uint8Array | undefined;
  /** Providers to try in order. */
  providers: string[];
  threads: number;
  /** What four-bit weights become where the provider is not the CPU; float32 when absent. */
  precision?: Precision | undefined;
  /** Most memory of the GPU that the provider's arena may take, in MB, where it can be told. */
  gpuMemoryMb?: number | undefined;
  /** No node may be left to the CPU. */
  isWhole?: boolean | undefined;
  /** Where the runtime writes what each node was run on, when the session is released. */
  profile?: string | undefined;
}

/** Joins one-item tensors (dims without the batch) into a batch: dims `[n, …]`. All items have equal dims. */
export function stack(items: Tensor[]): Tensor {
  const first = items[0]!;
  const size = first.data.length;
  const dims = [items.length, ...first.dims];
  if (items.length === 1) return { ...first, dims };
  const data = new (first.data.constructor as Uint8ArrayConstructor)(size * items.length);
  items.forEach((item, i) => {
    data.set(item.data as Uint8Array, i * size);
  });
  return { dtype: first.dtype, dims, data } as Tensor;
}

/** Item `i` of a batch, without the batch dimension: the reverse of `stack`. */
export function item(batch: Tensor, i: number): Tensor {
  const dims = batch.dims.slice(1);
  if (batch.dims[0] === 1) return { ...batch, dims };
  const size = batch.data.length / batch.dims[0]!;
  return { dtype: batch.dtype, dims, data: batch.data.slice(i * size, (i + 1) * size) } as Tensor;
}

/** All numbers of a tensor, row by row. */
export const numbers = (tensor: Tensor): number[] => Array.from(tensor.data, Number);

/** Memory that the numbers take, in bytes. */
export const bytesOf = (tensors: Tensors): number =>
  Object.values(tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
