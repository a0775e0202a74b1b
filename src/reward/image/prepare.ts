/** 5 prepare: pixels to the image inputs of a graph, as the manifest says. */
import { availableParallelism } from 'node:os';
import { type Handover, Threads } from '../../lib/threads.ts';
import type { Pixels } from '../../types/image.ts';
import type { Tensors } from '../graph/tensor.ts';
import { EXACT_KERNELS, type ExactKernel, type ImageSpec } from '../model/manifest.ts';
import { resize } from './decode.ts';
import { type ExactTask, exactTensors, isLong, toTensor } from './kernels.ts';
import { copyOf } from './slices.ts';

export interface Preparer {
  /**
   * The image inputs of one item, without the batch dimension; none where no graph reads pixels. The pixels stay the
   * caller's.
   *
   * @throws RangeError when not even one window fits in, DRAINING, or the signal's reason
   */
  prepare(pixels: Pixels, spec: ImageSpec, signal: AbortSignal): Promise<Tensors>;
  /** Ends the threads, if there are any; what is in work fails with DRAINING. */
  close(): Promise<void>;
}

const isExact = (kernel: ImageSpec['kernel']): kernel is ExactKernel =>
  EXACT_KERNELS.some((exact) => exact === kernel);

/** Whether sharp's own threads do it, of which nobody else has need, and without a copy of the pixels. */
export const isCheap = ({ resize: fit, kernel }: ImageSpec): boolean => fit !== 'windows' && !isExact(kernel);

// The same file runs from source (.ts) and from the built package (.js).
const THREAD = new URL(`./kernel-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Enough to keep up with sessions, which take longer for an image. One core is left to the main thread. */
const MOST_THREADS = 4;

/** Longer than the pauses between images of one run. */
const IDLE_MS = 10_000;

/** A thread gets a copy of the pixels: they may be a part of a buffer that others read, too. */
async function handOver(task: ExactTask, signal: AbortSignal): Promise<Handover<ExactTask>> {
  const { data, width, height } = task.pixels;
  const copy = await copyOf(data, signal);
  return [{ ...task, pixels: { data: copy, width, height } }, [copy.buffer]];
}

/** Exact kernels that take long run in threads, started by the first image that needs one; sharp has its own. */
export function createPreparer(): Preparer {
  const most = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
  const threads = new Threads<ExactTask, Tensors>({ file: THREAD, most, idleMs: IDLE_MS });

  const exact = async (task: ExactTask, signal: AbortSignal): Promise<Tensors> =>
    isLong(task) ? threads.run(() => handOver(task, signal), signal) : exactTensors(task);

  return {
    async prepare(pixels, spec, signal) {
      const { input, resize: fit, kernel, width, height } = spec;
      if (input === null) return {};
      const seen = { ...spec, input };
      if (fit === 'windows') return exact({ pixels, spec: seen, view: null }, signal);
      if (isExact(kernel))
        return exact({ pixels, spec: seen, view: { width, height, resize: fit, kernel } }, signal);
      return { [input]: toTensor(await resize(pixels, { width, height, resize: fit, kernel }), seen) };
    },
    close: () => threads.close(),
  };
}
