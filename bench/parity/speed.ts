/** Images a second through the daemon, raw RGB of 512² with a prompt that it knows, against the bare sessions. */
import { join } from 'node:path';
import { connect } from '../../src/bench/client.ts';
import { startDaemonUnderTest } from '../../src/bench/daemon.ts';
import { median, round, testPicture } from '../../src/bench/figures.ts';
import { openRawSession } from '../../src/bench/raw.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { stack } from '../../src/reward/graph/tensor.ts';
import { openCatalog } from '../../src/reward/model/catalog.ts';
import type { ModelFolder } from '../../src/reward/model/manifest.ts';
import { openScorer } from '../../src/reward/scorer.ts';
import { flagsFor, flagsOf, readReport } from './compare.ts';
import { startStates } from './states.ts';

export interface SpeedFigures {
  /** Daemon ÷ bare sessions, median of the pairs. */
  ratio: number;
  ratios: number[];
  rawMs: number;
  threads: number;
  /** What a prompt that is known costs an image, in milliseconds: a copy to the thread that judges, and into a batch. */
  promptMs: number;
}

/** How often the two are compared, and on how many images through the daemon. */
interface Effort {
  pairs: number;
  images: number;
}

const SIZE = 512;

/** Two images are always on their way, so that preparing one does not wait for the other's inference. */
async function throughDaemon(url: string, first: number, count: number): Promise<number> {
  const client = await connect(url);
  const images = Array.from({ length: count }, (_, i) => testPicture(SIZE, first + i));
  const start = performance.now();
  const lane = async () => {
    for (let data = images.pop(); data; data = images.pop()) await client.score(data, SIZE);
  };
  await Promise.all([lane(), lane()]);
  client.close();
  return (count * 1000) / (performance.now() - start);
}

/** Median time to copy what is kept of a prompt; 0 if nothing is. */
async function knownPromptMs(model: ModelFolder, config: Config): Promise<number> {
  const { graphs, image } = model.manifest;
  if (!graphs.some(({ per }) => per === 'prompt')) return 0;
  const scorer = await openScorer(model, config);
  const pixels = { data: testPicture(SIZE, 0), width: SIZE, height: SIZE };
  const feeds = await scorer
    .feeds(pixels, 'a picture', AbortSignal.timeout(120_000))
    .finally(() => scorer.close());
  const ofImage = [image.input, image.windows?.whole];
  const kept = Object.entries(feeds[graphs.at(-1)!.graph]!).filter(([name]) => !ofImage.includes(name));
  const times = Array.from({ length: 50 }, () => {
    const start = performance.now();
    for (const [, tensor] of structuredClone(kept)) stack([tensor]);
    return performance.now() - start;
  });
  return round(median(times));
}

export async function speedOf(
  folder: string,
  system: string,
  effort: Effort = { pairs: 5, images: 6 },
): Promise<SpeedFigures> {
  const { id, items } = readReport(folder, system);
  const dataDir = join(folder, 'data');
  const config = loadConfig({ modelDirs: [join(folder, 'models')], scorer: id, variant: 'fp32', dataDir });
  const model = openCatalog({ ...config, defaultId: id }).find();
  const promptMs = await knownPromptMs(model, config);
  const raw = await openRawSession(model, config);
  const threads = ['--threads', String(config.threads)];
  const [item] = items;
  const server = item!.states && (await startStates());
  if (server) server.states = item!.states!;
  const language = flagsFor(folder, id, server);
  const daemon = await startDaemonUnderTest([
    ...flagsOf(folder, id, 'fp32', dataDir),
    ...threads,
    ...language,
  ]);
  try {
    await throughDaemon(daemon.url, 0, effort.images);
    const pairs: { bare: number; all: number }[] = [];
    for (let i = 1; i <= effort.pairs; i++) {
      const bare = await raw.imagesPerSecond(1, 10_000);
      // New pictures every time: nothing of them is known to any cache.
      pairs.push({ bare, all: await throughDaemon(daemon.url, i * effort.images, effort.images) });
    }
    const ratios = pairs.map(({ all, bare }) => round(all / bare));
    const rawMs = round(1000 / median(pairs.map(({ bare }) => bare)), 0);
    return { ratio: median(ratios), ratios, rawMs, threads: config.threads, promptMs };
  } finally {
    await raw.close();
    await daemon.stop();
    await server?.stop();
  }
}
