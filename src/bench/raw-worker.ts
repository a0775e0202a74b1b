/** Thread of `raw.ts`: runs the sessions over and over on the same batch. */
import { parentPort, workerData } from 'node:worker_threads';
import { openOnnxSession } from '../reward/graph/session.ts';
import { type Session, type SessionSpec, stack, type Tensor, type Tensors } from '../reward/graph/tensor.ts';

export interface RawTask {
  batch: number;
  durationMs: number;
  /** Counts the first run, too, which finds caches and clock at rest. */
  fromRest: boolean;
  /** Inputs of one image, for each session. */
  feeds: Tensors[];
}

export interface RawReply {
  imagesPerSecond: number;
}

const port = parentPort!;
const sessions: Session[] = [];
for (const spec of workerData as SessionSpec[]) sessions.push(await openOnnxSession(spec));

const repeated = (one: Tensors, batch: number): Tensors =>
  Object.fromEntries(
    Object.entries(one).map(([name, tensor]) => [name, stack(Array<Tensor>(batch).fill(tensor))]),
  );

async function run({ batch, durationMs, fromRest, feeds: ones }: RawTask): Promise<RawReply> {
  const feeds = ones.map((one) => repeated(one, batch));
  const once = async () => {
    for (const [i, session] of sessions.entries()) await session.run(feeds[i]!);
  };
  if (!fromRest) await once();
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < durationMs) {
    await once();
    runs++;
  }
  return { imagesPerSecond: (runs * batch * 1000) / (performance.now() - start) };
}

port.on('message', async (task: RawTask) => port.postMessage(await run(task)));
port.postMessage({ imagesPerSecond: 0 } satisfies RawReply);
