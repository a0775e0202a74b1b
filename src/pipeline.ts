/**
 * The path of one image, in ten steps, on one screen. Steps 1 and 10 belong to whoever calls: a bridge receives the
 * request and sends the reply, the store records it.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.ts';
import { toAssayError } from './errors.ts';
import type { Log } from './log.ts';
import { decide } from './loops/policy.ts';
import { textsOf } from './metadata/texts.ts';
import { notesOn, resolvePrompt } from './prompt/resolve.ts';
import type { Catalog } from './reward/catalog.ts';
import { decode } from './reward/decode.ts';
import { inspect, withForeign } from './reward/guards.ts';
import { createFairQueue } from './reward/queue.ts';
import { batchSize, planLoad, type Scorer } from './reward/scorer.ts';
import type {
  ImageInput,
  Policy,
  RankResult,
  ScoreItem,
  ScoreRequest,
  ScoreResult,
  ScorerStamp,
  Timings,
} from './types.ts';

export interface Pipeline {
  /** Scores a request; one bad item fails alone. @throws BUSY, UNKNOWN_SCORER and what loading a scorer throws */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  /** Scores the images of one prompt and orders them by reward, best first. */
  rank(request: ScoreRequest): Promise<RankResult>;
  load(): { waiting: number; running: number };
}

/** What does not depend on who asks: kept for identical requests. */
type Finding = Pick<ScoreResult, 'width' | 'height' | 'guards' | 'reward'> & {
  aspects: NonNullable<ScoreResult['aspects']>;
};

/** One image on its way. */
interface Work {
  prompt: string | null;
  scorer: Scorer;
  policy: Policy;
  signal: AbortSignal;
  timings: Timings;
}

/** Images inside at least: enough to keep the decoding threads busy. */
const MIN_INSIDE = 8;

/** How many images may be inside at once: what the workers have in work and in hand, and as many in preparation. */
function widthOf(catalog: Catalog, config: Config): number {
  const model = catalog.find();
  const [provider] = planLoad(model, config).providers;
  return Math.max(MIN_INSIDE, 2 * config.workers * batchSize(model.manifest, provider!));
}

/** @param log told of faults that are ours, with their cause */
export function createPipeline(catalog: Catalog, config: Config, log?: Pick<Log, 'error'>): Pipeline {
  const queue = createFairQueue(widthOf(catalog, config), config.limits.maxQueue);
  const cache =
    config.resultCache > 0 ? new LRUCache<string, Finding>({ max: config.resultCache }) : undefined;

  async function examine(work: Work, image: ImageInput, name: string): Promise<Finding> {
    const { prompt, scorer, signal, timings } = work;
    const start = performance.now();
    // 3 decode
    const { background } = config;
    const decoded = await decode(image, { ...config.limits, background });
    const pixels = { ...decoded, key: `${name} ${background}` };
    // 4 guard
    const found = inspect(pixels, scorer.manifest.image);
    timings.decodeMs = performance.now() - start;
    // 5 prepare, 6 batch, 7 infer, 8 calibrate
    const judged = await scorer.judge(pixels, prompt, signal);
    const { aspects, reward, foreign, queueMs, inferMs } = judged;
    timings.queueMs += queueMs;
    timings.inferMs = inferMs;
    const { width, height } = pixels;
    const guards = withForeign(found, foreign);
    return { width, height, guards, aspects, reward: guards.length > 0 ? null : reward };
  }

  async function verdict(item: ScoreItem, job: Omit<Work, 'prompt'>, result: ScoreResult): Promise<void> {
    const { scorer, policy, signal } = job;
    // 2 fetch
    const image = await item.fetch(signal);
    result.sha256 = hash('sha256', image.bytes);
    Object.assign(result, resolvePrompt(item, image, textsOf));
    result.notes.push(...notesOn(result));
    const name = nameOf(result.sha256, image);
    const key = cacheKey(name, result.prompt, scorer);
    const finding = cache?.get(key) ?? (await examine({ ...job, prompt: result.prompt }, image, name));
    cache?.set(key, finding);
    // 9 decide
    Object.assign(result, finding, decide(finding, policy));
  }

  async function scoreItem(item: ScoreItem, scorer: Scorer, request: ScoreRequest): Promise<ScoreResult> {
    const start = performance.now();
    const timings: Timings = { decodeMs: 0, queueMs: 0, inferMs: 0, totalMs: 0 };
    const result = emptyResult(item, scorer.stamp);
    let leave = () => {};
    try {
      leave = await queue.enter(request.client, request.signal);
      timings.queueMs = performance.now() - start;
      const { policy = config.policy, signal } = request;
      await verdict(item, { scorer, policy, signal, timings }, result);
      timings.totalMs = performance.now() - start;
      result.timings = timings;
    } catch (thrown) {
      const error = toAssayError(thrown);
      if (error.kind === 'internal') log?.error({ err: error, id: item.id }, 'an image failed');
      result.error = { code: error.code, message: error.message };
    } finally {
      leave();
    }
    return result;
  }

  async function score(request: ScoreRequest): Promise<ScoreResult[]> {
    const scorer = await catalog.open(request.scorer);
    queue.checkRoom(request.items.length);
    return Promise.all(request.items.map((item) => scoreItem(item, scorer, request)));
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

/** A result that says nothing yet. */
export function emptyResult(
  { id, source, prompt }: Pick<ScoreItem, 'id' | 'source' | 'prompt'>,
  scorer: ScorerStamp | null,
): ScoreResult {
  return {
    id,
    source,
    sha256: null,
    width: null,
    height: null,
    prompt: prompt ?? null,
    promptSource: null,
    scorer,
    aspects: null,
    reward: null,
    guards: [],
    decision: null,
    reasons: [],
    notes: [],
    timings: null,
    error: null,
  };
}

/** What an image is known by: its bytes, and what they are taken for. */
const nameOf = (sha256: string, image: ImageInput): string =>
  image.kind === 'raw' ? `${sha256} ${image.format} ${image.width}x${image.height}` : sha256;

/** Same image, same prompt, same scorer and weights: same finding. */
function cacheKey(name: string, prompt: string | null, { stamp }: Scorer): string {
  const { id, version, weights, calibration } = stamp;
  return [name, id, version, weights, calibration, prompt ?? '\0'].join('\n');
}

/** Indexes by falling reward; items without one last, in request order. */
function orderOf(results: ScoreResult[]): number[] {
  const rewards = results.map((r) => r.reward ?? Number.NEGATIVE_INFINITY);
  return results
    .map((_, i) => i)
    .sort((a, b) => (rewards[b] === rewards[a] ? a - b : rewards[b]! - rewards[a]!));
}
