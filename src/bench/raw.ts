/** The limit that the daemon is held against: the bare session in a thread of its own, fed with ready tensors. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { SessionSpec } from '../reward/tensor.ts';
import type { RawReply, RawTask } from './raw-worker.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const WORKER = new URL(`./raw-worker${EXTENSION}`, import.meta.url);

export interface RawSession {
  /** Images a second at a batch size, over about `durationMs`. */
  imagesPerSecond(batch: number, durationMs: number): Promise<number>;
  close(): Promise<void>;
}

async function reply(worker: Worker): Promise<RawReply> {
  const [answer] = await once(worker, 'message');
  return answer;
}

/** Loads the session that the daemon would load. `input` is the graph's image input, `[height, width, 3]`. */
export async function openRawSession(spec: SessionSpec, input: RawTask['input']): Promise<RawSession> {
  const worker = new Worker(WORKER, { workerData: spec });
  await reply(worker);
  return {
    async imagesPerSecond(batch, durationMs) {
      const task: RawTask = { batch, durationMs, input };
      const answer = reply(worker);
      worker.postMessage(task);
      return (await answer).imagesPerSecond;
    },
    async close() {
      await worker.terminate();
    },
  };
}
