/**
 * The path of one image, in ten steps, on one screen. Steps 1 and 10 belong to whoever calls: a bridge receives the
 * request and sends the reply, the store records it.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.ts';
import { toAssayError } from './errors.ts';
import { decide } from './loops/policy.ts';
import type { Catalog } from './reward/catalog.ts';
import { decode } from './reward/decode.ts';
import { inspect } from './reward/guards.ts';
import { createFairQueue } from './reward/queue.ts';
import { batchSize, planLoad, type Scorer } from './reward/scorer.ts';
import type { ImageInput, RankResult, ScoreItem, ScoreRequest, ScoreResult, Timings } from './types.ts';

export interface Pipeline {
  /** Scores a request; one bad item fails alone. @throws BUSY, UNKNOWN_SCORER and what loading a scorer throws */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  /** Scores the images of one prompt and orders them by reward, best first. */
  rank(request: ScoreRequest): Promise<RankResult>;
  load(): { waiting: number; running: number };
}

/** What does not depend on who asks: kept for identical requests. */
type Finding = Pick<ScoreResult, 'width' | 'height' | 'guards' | 'aspects' | 'reward'>;

/** Images inside at least: enough to keep the decoding threads busy. */
const MIN_INSIDE = 8;

/** How many images may be inside at once: what the workers have in work and in hand, and as many in preparation. */
function widthOf(catalog: Catalog, config: Config): number {
  const model = catalog.find();
  const [provider] = planLoad(model, config).providers;
  return Math.max(MIN_INSIDE, 2 * config.workers * batchSize(model.manifest, provider!));
}

export function createPipeline(catalog: Catalog, config: Config): Pipeline {
  const queue = createFairQueue(widthOf(catalog, config), config.limits.maxQueue);
  const cache =
    config.resultCache > 0 ? new LRUCache<string, Finding>({ max: config.resultCache }) : undefined;

  async function examine(
    item: ScoreItem,
    image: ImageInput,
    scorer: Scorer,
    signal: AbortSignal,
    timings: Timings,
  ) {
    const start = performance.now();
    const pixels = await decode(image, { ...config.limits, background: config.background }); //     3 decode
    const guards = inspect(pixels, scorer.manifest.image); //                                       4 guard
    timings.decodeMs = performance.now() - start;
    const judged = await scorer.judge(pixels, item.prompt, signal); //                              5-8 prepare … calibrate
    timings.queueMs = judged.queueMs;
    timings.inferMs = judged.inferMs;
    const reward = guards.length > 0 ? null : judged.reward;
    return { width: pixels.width, height: pixels.height, guards, aspects: judged.aspects, reward };
  }

  async function scoreItem(
    item: ScoreItem,
    scorer: Scorer,
    client: string,
    signal: AbortSignal,
  ): Promise<ScoreResult> {
    const start = performance.now();
    const timings: Timings = { decodeMs: 0, queueMs: 0, inferMs: 0, totalMs: 0 };
    const result = emptyResult(item, scorer);
    let leave = () => {};
    try {
      leave = await queue.enter(client, signal);
      const image = await item.fetch(signal); //                                                    2 fetch
      result.sha256 = hash('sha256', image.bytes);
      const key = cacheKey(result.sha256, image, item, scorer);
      const finding = cache?.get(key) ?? (await examine(item, image, scorer, signal, timings));
      cache?.set(key, finding);
      Object.assign(result, finding, decide({ ...finding, aspects: finding.aspects! }, config.policy)); // 9 decide
      timings.totalMs = performance.now() - start;
      result.timings = timings;
    } catch (error) {
      const { code, message } = toAssayError(error);
      result.error = { code, message };
    } finally {
      leave();
    }
    return result;
  }

  async function score({ items, scorer: id, client, signal }: ScoreRequest): Promise<ScoreResult[]> {
    const scorer = await catalog.open(id);
    queue.checkRoom(items.length);
    return Promise.all(items.map((item) => scoreItem(item, scorer, client, signal)));
  }

  return {
    score,
    async rank(request) {
      const results = await score(request);
      const order = orderOf(results);
      const best = order[0];
      return { results, order, best: best !== undefined && results[best]!.reward !== null ? best : null };
    },
    load: () => ({ waiting: queue.waiting, running: queue.running }),
  };
}

function emptyResult(item: ScoreItem, scorer: Scorer): ScoreResult {
  return {
    ...{ id: item.id, source: item.source, sha256: null, width: null, height: null, prompt: item.prompt },
    ...{ scorer: scorer.stamp, aspects: null, reward: null, guards: [], decision: null, reasons: [] },
    ...{ timings: null, error: null },
  };
}

/** Same bytes, same geometry, same prompt, same weights: same finding. */
function cacheKey(sha256: string, image: ImageInput, item: ScoreItem, { stamp }: Scorer): string {
  const geometry = image.kind === 'raw' ? `${image.format} ${image.width}x${image.height}` : '';
  return [sha256, geometry, stamp.weights, stamp.calibration, item.prompt ?? '\0'].join('\n');
}

/** Indexes by falling reward; items without one last, in request order. */
function orderOf(results: ScoreResult[]): number[] {
  const rewards = results.map((r) => r.reward ?? Number.NEGATIVE_INFINITY);
  return results
    .map((_, i) => i)
    .sort((a, b) => (rewards[b] === rewards[a] ? a - b : rewards[b]! - rewards[a]!));
}
