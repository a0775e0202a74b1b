/** The limit that the daemon is held against: the bare session in a thread of its own, fed with ready tensors. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { fail } from '../errors.ts';
import type { ModelFolder } from '../reward/manifest.ts';
import { planLoad } from '../reward/scorer.ts';
import type { SessionSpec } from '../reward/tensor.ts';
import { openTextEncoder } from '../reward/text.ts';
import type { RawReply, RawTask } from './raw-worker.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const WORKER = new URL(`./raw-worker${EXTENSION}`, import.meta.url);

export interface RawSession {
  /** Images a second at a batch size, over about `durationMs`; with `fromRest` the first run counts, too. */
  imagesPerSecond(batch: number, durationMs: number, fromRest?: boolean): Promise<number>;
  close(): Promise<void>;
}

async function reply(worker: Worker): Promise<RawReply> {
  const [answer] = await once(worker, 'message');
  return answer;
}

function sessionSpec({ folder, manifest }: ModelFolder, config: Config): SessionSpec {
  const plan = planLoad({ folder, manifest }, config);
  const graphOf = (variant: string) => join(folder, manifest.variants[variant]!.graphs.score);
  const { backend, id: scorer } = manifest;
  const graphs = { graph: graphOf(plan.variant), gpuGraph: graphOf(plan.gpuVariant) };
  return { scorer, backend, ...graphs, providers: plan.providers, threads: config.threads };
}

/** The graph's inputs. @throws USAGE for a model that takes anything else */
function inputOf(model: ModelFolder): RawTask['input'] {
  const { image, text, backend, id } = model.manifest;
  if (backend === 'onnx' && image.dtype === 'uint8' && image.width === image.height)
    return { name: image.input, size: image.width, tokens: text ? openTextEncoder(model, text)('') : {} };
  const reason = `bench measures ONNX scorers with one square uint8 image input; ${id} is another kind`;
  throw fail('USAGE', { reason });
}

/** Loads the session that the daemon would load. @throws USAGE */
export async function openRawSession(model: ModelFolder, config: Config): Promise<RawSession> {
  const input = inputOf(model);
  const worker = new Worker(WORKER, { workerData: sessionSpec(model, config) });
  await reply(worker);
  return {
    async imagesPerSecond(batch, durationMs, fromRest = false) {
      const task: RawTask = { batch, durationMs, fromRest, input };
      const answer = reply(worker);
      worker.postMessage(task);
      return (await answer).imagesPerSecond;
    },
    async close() {
      await worker.terminate();
    },
  };
}
