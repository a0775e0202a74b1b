/**
 * The path of one image, in ten steps, on one screen. Steps 1 and 10 belong to whoever calls: a bridge receives the
 * request and sends the reply, the store records it.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.ts';
import { toAssayError } from './errors/error.ts';
import { textsOf } from './files/metadata/texts.ts';
import { orAbort } from './lib/abort.ts';
import { createFairQueue } from './lib/fair-queue.ts';
import { InFlight } from './lib/in-flight.ts';
import type { Log } from './log.ts';
import { decide, policyOf } from './loops/policy/policy.ts';
import { notesOn, resolvePrompt } from './prompt/resolve.ts';
import { type Decoded, decode, decodeAtOnce } from './reward/image/decode.ts';
import { inspect, together } from './reward/image/guards.ts';
import { Room } from './reward/image/pixel-memory.ts';
import { inspectOrder } from './reward/image/pixel-order.ts';
import { sha256Of } from './reward/image/slices.ts';
import type { Catalog } from './reward/model/catalog.ts';
import { batchSize, planLoad } from './reward/model/plan.ts';
import type { Judgement, Scorer } from './reward/scorer.ts';
import type {
  GuardFinding,
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
  /**
   * Scores a request; one bad item fails alone. When its signal aborts, what is finished comes back at once, and the
   * reason stands in the other items.
   *
   * @throws BUSY, TOO_MANY_IMAGES, UNKNOWN_SCORER and what loading a scorer throws
   */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  /** Scores the images of one prompt and orders them by reward, best first. */
  rank(request: ScoreRequest): Promise<RankResult>;
  load(): { waiting: number; running: number };
}

/** What does not depend on who asks: kept for identical requests. */
type Finding = Pick<ScoreResult, 'width' | 'height' | 'guards' | 'reward' | 'notes'> & {
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

/** An image that has arrived. */
interface Received {
  image: ImageInput;
  /** Its pixels, where they need no decoding. */
  early: Decoded | undefined;
  sha256: string;
  name: string;
}

/** Images inside at least: enough to keep the decoding threads busy. */
const MIN_INSIDE = 8;

/** Memory for decoded images: some twenty of 4 megapixels, or one of 64. */
const DECODED_BYTES = 256 * 2 ** 20;

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
  const inFlight = new InFlight<Finding>();
  const room = new Room(DECODED_BYTES);

  const options = { ...config.limits, background: config.background };

  async function examine(work: Work, { image, early, name }: Received): Promise<Finding> {
    const { prompt, scorer, signal, timings } = work;
    const place = room.place(signal);
    try {
      const start = performance.now();
      // 3 decode
      const pixels = early ?? (await decode(image, { ...options, admit: place.take }, signal));
      pixels.key = `${name} ${config.background}`;
      // 4 guard
      const found = [...inspectOrder(image), ...inspect(pixels, scorer.manifest.image)];
      timings.decodeMs = performance.now() - start;
      // 5 prepare, 6 batch, 7 infer, 8 calibrate
      const judged = await scorer.judge(pixels, prompt, signal);
      timings.queueMs += judged.queueMs;
      timings.inferMs = judged.inferMs;
      return findingOf(pixels, found, judged);
    } finally {
      place.leave();
    }
  }

  /** What is known already, or is found out for someone else at this moment, is not found out again. */
  async function find(work: Work, received: Received): Promise<Finding> {
    if (!cache) return examine(work, received);
    const key = cacheKey(received.name, work.prompt, work.scorer);
    const known = cache.get(key);
    if (known) return known;
    const make = (signal: AbortSignal) => examine({ ...work, signal }, received);
    const made = await inFlight.share(key, make, work.signal);
    cache.set(key, made);
    return made;
  }

  /** The pixels of an image that needs no decoding. What is wrong with it is told when it is decoded. */
  function pixelsOf(image: ImageInput): Decoded | undefined {
    try {
      return decodeAtOnce(image, options);
    } catch {
      return undefined;
    }
  }

  /** Raw pixels need no decoding: they are prepared in other threads while they are hashed here. */
  async function receive(image: ImageInput, scorer: Scorer, signal: AbortSignal): Promise<Received> {
    const early = pixelsOf(image);
    if (early) scorer.ahead(early);
    const sha256 = await sha256Of(image.bytes, signal);
    return { image, early, sha256, name: nameOf(sha256, image) };
  }

  async function verdict(item: ScoreItem, job: Omit<Work, 'prompt'>, result: ScoreResult): Promise<void> {
    const { policy, scorer, signal } = job;
    // 2 fetch
    const image = await item.fetch(signal, options.maxImageBytes);
    const received = await receive(image, scorer, signal);
    result.sha256 = received.sha256;
    Object.assign(result, resolvePrompt(item, image, textsOf));
    const { notes, ...finding } = await find({ ...job, prompt: result.prompt }, received);
    result.notes.push(...notesOn(result), ...notes);
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
      const { signal } = request;
      const policy = policyOf(request.policy ?? config.policy, scorer.manifest.policy);
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

  /** What goes on of an item that was given up may fill the cache; its result is nobody's. */
  const scoreUntilAbort = (item: ScoreItem, scorer: Scorer, request: ScoreRequest): Promise<ScoreResult> =>
    orAbort(scoreItem(item, scorer, request), request.signal).catch((reason) =>
      givenUp(item, scorer.stamp, reason),
    );

  async function score(request: ScoreRequest): Promise<ScoreResult[]> {
    const { items, signal } = request;
    let scorer: Scorer;
    try {
      scorer = await orAbort(catalog.open(request.scorer), signal);
    } catch (error) {
      if (signal.aborted) return items.map((item) => givenUp(item, null, signal.reason));
      throw error;
    }
    queue.checkRoom(items.length);
    return Promise.all(items.map((item) => scoreUntilAbort(item, scorer, request)));
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

/** What the image and the scorer say together. */
function findingOf(
  { width, height, notes = [] }: Decoded,
  found: GuardFinding[],
  judged: Judgement,
): Finding {
  const guards = together(...found, ...judged.foreign);
  const reward = guards.length > 0 ? null : judged.reward;
  return { width, height, guards, aspects: judged.aspects, reward, notes: [...notes, ...judged.notes] };
}

function givenUp(item: ScoreItem, stamp: ScorerStamp | null, reason: unknown): ScoreResult {
  const { code, message } = toAssayError(reason);
  return { ...emptyResult(item, stamp), error: { code, message } };
}

/** What an image is known by: its bytes, and what they are taken for. */
const nameOf = (sha256: string, image: ImageInput): string =>
  image.kind === 'raw' ? `${sha256} ${image.format} ${image.width}x${image.height}` : sha256;

/** Same image, same prompt, same scorer and weights: same finding. A hash, since prompts may be long. */
function cacheKey(name: string, prompt: string | null, { stamp }: Scorer): string {
  const { id, version, weights, calibration } = stamp;
  return hash('sha256', [name, id, version, weights, calibration, prompt ?? '\0'].join('\n'));
}

/** Indexes by falling reward; items without one last, in request order. */
function orderOf(results: ScoreResult[]): number[] {
  const rewards = results.map((r) => r.reward ?? Number.NEGATIVE_INFINITY);
  return results
    .map((_, i) => i)
    .sort((a, b) => (rewards[b] === rewards[a] ? a - b : rewards[b]! - rewards[a]!));
}
