/**
 * The limit that the daemon is held against: the bare sessions in a thread of its own, fed with ready tensors.
 * Graphs that are run once a prompt are left out.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { silence } from '../lib/quiet.ts';
import type { SessionSpec, Tensors } from '../reward/graph/tensor.ts';
import type { GraphSpec, ModelFolder } from '../reward/model/manifest.ts';
import { planLoad } from '../reward/model/plan.ts';
import { openScorer, sessionSpec } from '../reward/scorer.ts';
import { testPicture } from './figures.ts';
import type { RawReply, RawTask } from './raw-worker.ts';

/** Side of the picture that they are fed with. */
const PICTURE = 512;

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

const graphsOf = ({ manifest }: ModelFolder): GraphSpec[] =>
  manifest.graphs.filter(({ per }) => per !== 'prompt');

function sessionSpecs(model: ModelFolder, config: Config): SessionSpec[] {
  const plan = planLoad(model, config);
  return graphsOf(model).map((graph) => sessionSpec(model, plan, graph, config));
}

/** What the daemon would feed each session with, for one picture. @throws USAGE for a model that is not ONNX */
async function feedsOf(model: ModelFolder, config: Config): Promise<Tensors[]> {
  const { backend, id } = model.manifest;
  if (backend !== 'onnx')
    throw fail('USAGE', { reason: `bench measures ONNX scorers; ${id} is another kind` });
  const scorer = await openScorer(model, config);
  try {
    const pixels = { data: testPicture(PICTURE, 1), width: PICTURE, height: PICTURE };
    const feeds = await scorer.feeds(pixels, 'a picture', AbortSignal.timeout(120_000));
    return graphsOf(model).map(({ graph }) => feeds[graph]!);
  } finally {
    await scorer.close();
  }
}

/** Loads the sessions that the daemon would load. @throws USAGE */
export async function openRawSession(model: ModelFolder, config: Config): Promise<RawSession> {
  const feeds = await feedsOf(model, config);
  silence();
  const worker = new Worker(WORKER, { workerData: sessionSpecs(model, config) });
  await reply(worker);
  return {
    async imagesPerSecond(batch, durationMs, fromRest = false) {
      const task: RawTask = { batch, durationMs, fromRest, feeds };
      const answer = reply(worker);
      worker.postMessage(task);
      return (await answer).imagesPerSecond;
    },
    async close() {
      await worker.terminate();
    },
  };
}
