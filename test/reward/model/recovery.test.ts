/** Scorers whose workers die, or whose files go away for a while: real graphs, real threads. */
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBatcher } from '../../../src/reward/graph/batch.ts';
import { type Catalog, openCatalog } from '../../../src/reward/model/catalog.ts';
import type { Scorer } from '../../../src/reward/scorer.ts';
import { tempFolder } from '../../support/files.ts';
import { picture } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';

const never = new AbortController().signal;

/** Workers that are started from now on, until the test ends. */
function watchWorkers(): Worker[] {
  const workers: Worker[] = [];
  const note = (worker: Worker) => void workers.push(worker);
  process.on('worker', note);
  onTestFinished(() => void process.off('worker', note));
  return workers;
}

interface Setup {
  catalog: Catalog;
  scorer: Scorer;
  /** Of the scorer's session. */
  workers: Worker[];
  graph: string;
  troubles: string[];
}

async function setUp(options: { keepAliveMs?: number; workers?: number } = {}): Promise<Setup> {
  const parent = tempFolder();
  const graph = join(writeModel(parent), 'model.onnx');
  const workers = watchWorkers();
  const settings = { providers: [], threads: 1, workers: 1, defaultId: 'test-bright', ...options };
  const catalog = openCatalog({ ...settings, modelDirs: [parent] });
  onTestFinished(() => catalog.close());
  const troubles: string[] = [];
  catalog.onTrouble((trouble) => troubles.push(trouble));
  expect(catalog.unready()).toBe('it is not loaded');
  const opening = catalog.open();
  expect(catalog.unready()).toBe('it is loading');
  const scorer = await opening;
  expect(catalog.unready()).toBeNull();
  return { catalog, scorer, workers, graph, troubles };
}

const judge = async (scorer: Scorer): Promise<number> =>
  (await scorer.judge(picture(32, 32), null, never)).aspects.quality!.score;

async function kill(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit');
  await worker.terminate();
  await gone;
}

describe('a scorer that loses its worker', () => {
  it('gets another one, and says that it lost one', async () => {
    const { catalog, scorer, workers, troubles } = await setUp();
    const before = await judge(scorer);
    await kill(workers[0]!);
    expect(await judge(scorer)).toBe(before);
    expect(workers).toHaveLength(2);
    expect(troubles[0]).toMatch(/^scorer test-bright: a worker was lost: .* code 1/);
    expect(catalog.unready()).toBeNull();
  });

  it('is tried again while it cannot get one, is not ready meanwhile, and keeps what waits', async () => {
    const { catalog, scorer, workers, graph, troubles } = await setUp();
    const before = await judge(scorer);
    renameSync(graph, `${graph}.away`);
    await kill(workers[0]!);
    const waiting = judge(scorer);
    await expect.poll(() => troubles.length).toBeGreaterThan(2);
    expect(catalog.unready()).toMatch(/started again: .*cannot be replaced: .*model\.onnx/);
    expect(catalog.list()[0]!.problem).toBe(catalog.unready());
    renameSync(`${graph}.away`, graph);
    expect(await waiting).toBe(before);
    expect(catalog.unready()).toBeNull();
  });

  it('goes on with the others it has', async () => {
    const { catalog, scorer, workers, graph, troubles } = await setUp({ workers: 2 });
    renameSync(graph, `${graph}.away`);
    await kill(workers[0]!);
    await expect.poll(() => troubles.length).toBeGreaterThan(1);
    const [before, from] = [troubles.length, performance.now()];
    for (let i = 0; i < 50; i++) expect(await judge(scorer)).toBeGreaterThan(0);
    // Answers of the other worker do not make the attempts more frequent: pauses double from 250 ms on.
    const elapsed = performance.now() - from;
    expect(troubles.length - before).toBeLessThanOrEqual(1 + elapsed / 250);
    expect(catalog.unready()).toBeNull();
  });

  it('does not serve other weights than it was opened with', async () => {
    const { catalog, scorer, workers, graph, troubles } = await setUp();
    const other = join(writeModel(tempFolder(), { text: true }), 'model.onnx');
    renameSync(graph, `${graph}.away`);
    renameSync(other, graph);
    await kill(workers[0]!);
    await expect.poll(() => troubles.at(-1)).toMatch(/sha256 is .* the manifest says/);
    expect(catalog.unready()).toMatch(/started again/);
    renameSync(`${graph}.away`, graph);
    expect(await judge(scorer)).toBeGreaterThan(0);
  });
});

describe('a scorer that was freed', () => {
  it('and cannot be loaded says so, and is loaded again without being asked', async () => {
    const { catalog, scorer, workers, graph, troubles } = await setUp({ keepAliveMs: 20 });
    await once(workers[0]!, 'exit');
    expect(catalog.unready()).toBeNull();
    renameSync(graph, `${graph}.away`);
    await expect(judge(scorer)).rejects.toMatchObject({ code: 'SCORER_RECOVERING', retryAfterMs: 1000 });
    expect(catalog.unready()).toMatch(/model\.onnx/);
    expect(troubles.length).toBeGreaterThan(0);
    renameSync(`${graph}.away`, graph);
    await expect.poll(() => catalog.unready()).toBeNull();
    expect(await judge(scorer)).toBeGreaterThan(0);
  });
});

describe('a scorer that is released', () => {
  it('gives its memory back, and comes back with the next image', async () => {
    const { catalog, scorer, workers } = await setUp();
    const before = await judge(scorer);
    const gone = once(workers[0]!, 'exit');
    expect(catalog.release('test-bright')).toEqual({ released: 1, pending: 0 });
    await gone;
    expect(catalog.list()[0]!.graphs).toMatchObject([{ loaded: false, memoryMb: null }]);
    expect(catalog.release('test-bright')).toEqual({ released: 0, pending: 0 });
    expect(await judge(scorer)).toBe(before);
    expect(workers).toHaveLength(2);
  });

  it('is done with its images first', async () => {
    const { catalog, scorer, workers } = await setUp();
    const before = await judge(scorer);
    const gone = once(workers[0]!, 'exit');
    const working = Promise.all(Array.from({ length: 20 }, () => judge(scorer)));
    // they are inside for milliseconds, in which the question has to come
    const release = () => catalog.release('test-bright');
    await expect.poll(release, { interval: 1 }).toEqual({ released: 0, pending: 1 });
    expect(new Set(await working)).toEqual(new Set([before]));
    await gone;
    expect(await judge(scorer)).toBe(before);
  });
});

it('images do not wait for ever for a worker', async () => {
  const parent = tempFolder();
  const graph = join(writeModel(parent), 'model.onnx');
  const workers = watchWorkers();
  const spec = {
    scorer: 'x',
    backend: 'onnx',
    graph,
    gpuGraph: graph,
    providers: ['cpu'],
    threads: 1,
  } as const;
  const pace = { firstPauseMs: 10, longestPauseMs: 20, patienceMs: 200 };
  const batcher = await openBatcher({
    spec: { ...spec, providers: ['cpu'] },
    workers: 1,
    maxBatch: () => 4,
    pace,
  });
  onTestFinished(() => batcher.close());
  const feeds = { image: { dtype: 'uint8' as const, dims: [32, 32, 3], data: new Uint8Array(32 * 32 * 3) } };
  renameSync(graph, `${graph}.away`);
  await kill(workers[0]!);
  const recovering = { code: 'SCORER_RECOVERING', kind: 'retry', retryAfterMs: 5000 };
  await expect(batcher.infer(feeds, never)).rejects.toMatchObject(recovering);
  await expect(batcher.infer(feeds, never)).rejects.toMatchObject(recovering);
  renameSync(`${graph}.away`, graph);
  await expect.poll(() => batcher.fault).toBeNull();
  expect((await batcher.infer(feeds, never)).outputs.quality!.dims).toEqual([2]);
});
