/** Thread of `raw.ts`: runs the session over and over on the same batch. */
import { parentPort, workerData } from 'node:worker_threads';
import { openOnnxSession } from '../reward/session.ts';
import { type SessionSpec, stack, type Tensor, type Tensors } from '../reward/tensor.ts';

export interface RawTask {
  batch: number;
  durationMs: number;
  /** Counts the first run, too, which finds caches and clock at rest. */
  fromRest: boolean;
  /** Inputs of one image. */
  feeds: Tensors;
}

export interface RawReply {
  imagesPerSecond: number;
}

const port = parentPort!;
const session = await openOnnxSession(workerData as SessionSpec);

async function run({ batch, durationMs, fromRest, feeds: one }: RawTask): Promise<RawReply> {
  const feeds = Object.fromEntries(
    Object.entries(one).map(([key, tensor]) => [key, stack(Array<Tensor>(batch).fill(tensor))]),
  );
  if (!fromRest) await session.run(feeds);
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < durationMs) {
    await session.run(feeds);
    runs++;
  }
  return { imagesPerSecond: (runs * batch * 1000) / (performance.now() - start) };
}

port.on('message', async (task: RawTask) => port.postMessage(await run(task)));
port.postMessage({ imagesPerSecond: 0 } satisfies RawReply);
