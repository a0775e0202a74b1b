/** Thread of `raw.ts`: runs the session over and over on the same batch. */
import { parentPort, workerData } from 'node:worker_threads';
import { openOnnxSession } from '../reward/session.ts';
import { type SessionSpec, stack, type Tensor, type Tensors } from '../reward/tensor.ts';
import { testPicture } from './figures.ts';

export interface RawTask {
  batch: number;
  durationMs: number;
  /** Counts the first run, too, which finds caches and clock at rest. */
  fromRest: boolean;
  /** `tokens` of one image, by graph input name; none where the graph reads no prompt. */
  input: { name: string; size: number; tokens: Tensors };
}

export interface RawReply {
  imagesPerSecond: number;
}

const port = parentPort!;
const session = await openOnnxSession(workerData as SessionSpec);

async function run({ batch, durationMs, fromRest, input }: RawTask): Promise<RawReply> {
  const { name, size, tokens } = input;
  const image: Tensor = { dtype: 'uint8', dims: [size, size, 3], data: testPicture(size, 1) };
  const one: Tensors = { [name]: image, ...tokens };
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
