/** 5 prepare, in a thread: a task in, tensors out. */
import { parentPort, type Transferable } from 'node:worker_threads';
import type { Reply } from '../../lib/threads.ts';
import type { Tensors } from '../graph/tensor.ts';
import { type ExactTask, exactTensors } from './kernels.ts';

const port = parentPort!;

const reply = (message: Reply<Tensors>, buffers: Transferable[]): void => port.postMessage(message, buffers);

port.on('message', (task: ExactTask) => {
  try {
    const result = exactTensors(task);
    const buffers = Object.values(result).map(({ data }) => data.buffer as ArrayBuffer);
    reply({ result }, buffers);
  } catch (error) {
    reply({ error }, []);
  }
});
