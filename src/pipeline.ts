/**
 * The path of one image, in ten steps, on one screen. Step 1 belongs to the bridge that receives the request, step 10
 * to runtime.ts, which replies and records.
 */
import { hash } from 'node:crypto';
import type { Config } from './config.ts';
import { toAssayError } from './errors/error.ts';
import { textsOf } from './files/metadata/texts.ts';
import { orAbort } from './lib/abort.ts';
import { type Booking, createFairQueue, type Pressure } from './lib/fair-queue.ts';
import { SharedCache } from './lib/shared-cache.ts';
import type { Log } from './log.ts';
import { decide, policyOf } from './loops/policy/policy.ts';
import { notesOn, resolvePrompt } from './prompt/resolve.ts';
import { emptyResult, failedResult } from './results.ts';
import { colourOf } from './reward/image/colour.ts';
import { type Decoded, decode, decodeAtOnce } from './reward/image/decode.ts';
import { inspect, together } from './reward/image/guards.ts';
import { PixelMemory } from './reward/image/pixel-memory.ts';
import { inspectOrder } from './reward/image/pixel-order.ts';
import { sha256Of } from './reward/image/slices.ts';
import type {
  Colour,
  GuardFinding,
  ImageInput,
  Judge,
  Judgement,
  Judges,
  Policy,
  ScoreItem,
  ScoreRequest,
  ScoreResult,
  Timings,
} from './types.ts';

export interface Pipeline {
  /**
   * Scores a request; one bad item fails alone. When its signal aborts, what is finished comes back at once, and the
   * reason stands in the other items.
   *
   * @throws BUSY, CLIENT_BUSY, TOO_MANY_IMAGES, UNKNOWN_SCORER and what loading a scorer throws
   */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  load(): { waiting: number; running: number };
  pressure(): Pressure;
}

/** What does not depend on who asks: kept for identical requests. */
type Finding = Pick<ScoreResult, 'width' | 'height' | 'guards' | 'reward' | 'notes' | 'truncated'> & {
  aspects: NonNullable<ScoreResult['aspects']>;
  colour: Colour;
};

/** One image on its way. */
interface Work {
  item: ScoreItem;
  judge: Judge;
  policy: Policy;
  signal: AbortSignal;
  tellsColour: boolean;
  /** Filled in as it goes. */
  result: ScoreResult;
  timings: Timings;
}

/** An image that has arrived. */
interface Received {
  image: ImageInput;
  /** Its pixels, where they need no decoding. */
  early: Decoded | undefined;
  /** Digest of its bytes. */
  sha256: string;
  /** What it is known by: its bytes, and what they are taken for. */
  name: string;
}

/** Images inside at least: enough to keep the decoding threads busy. */
const MIN_INSIDE = 8;

/** Memory for decoded images: some twenty of 4 megapixels, or one of 64. */
const DECODED_BYTES = 256 * 2 ** 20;

/** @param log told of faults that are ours, with their cause */
export function createPipeline(judges: Judges, config: Config, log?: Pick<Log, 'error'>): Pipeline {
  const { maxQueue, maxQueuePerClient } = config.limits;
  const queue = createFairQueue(Math.max(MIN_INSIDE, judges.width), maxQueue, maxQueuePerClient);
  const findings = new SharedCache<Finding>(config.resultCache);
  const memory = new PixelMemory(DECODED_BYTES);
  const options = { ...config.limits, background: config.background };

  /** 2 to 9 for one image. */
  async function examine(work: Work): Promise<void> {
    const { item, judge, policy, result, signal, tellsColour } = work;
    // 2 fetch
    const image = await item.fetch(signal, options.maxImageBytes);
    const received = await identify(image, work);
    Object.assign(result, resolvePrompt(item, image, textsOf), { sha256: received.sha256 });
    const key = keyOf(received, result.prompt, judge);
    const find = (until: AbortSignal) => look(received, work, until);
    const { notes, colour, ...finding } = await findings.get(key, find, signal);
    result.notes.push(...notesOn(result), ...notes);
    // 9 decide
    Object.assign(result, finding, decide(finding, policy), tellsColour && { colour });
  }

  /** Pixels that need no decoding are prepared in other threads while they are hashed here. */
  async function identify(image: ImageInput, { judge, signal }: Work): Promise<Received> {
    const early = pixelsAtOnce(image);
    if (early) judge.ahead?.(early);
    const sha256 = await sha256Of(image.bytes, signal);
    return { image, early, sha256, name: nameOf(sha256, image) };
  }

  /** What is wrong with an image is told when it is decoded. */
  function pixelsAtOnce(image: ImageInput): Decoded | undefined {
    try {
      return decodeAtOnce(image, options);
    } catch {
      return undefined;
    }
  }

  /** 3 to 8: what there is to find in the pixels. */
  async function look({ image, early, name }: Received, work: Work, signal: AbortSignal): Promise<Finding> {
    const { judge, result, timings } = work;
    const place = memory.place(signal);
    try {
      const start = performance.now();
      // 3 decode
      const pixels = early ?? (await decode(image, { ...options, admit: place.take }, signal));
      pixels.key = `${name} ${config.background}`;
      // 4 guard
      const found = [...inspectOrder(image), ...inspect(pixels, judge.domain)];
      timings.decodeMs = performance.now() - start - place.waitedMs;
      // 5 prepare, 6 batch, 7 infer, 8 calibrate
      const judged = await judge.judge(pixels, result.prompt, signal);
      timings.queueMs += place.waitedMs + judged.queueMs;
      timings.inferMs = judged.inferMs;
      return findingOf(pixels, found, judged);
    } finally {
      place.leave();
    }
  }

  async function scoreItem(
    item: ScoreItem,
    judge: Judge,
    request: ScoreRequest,
    booking: Booking,
  ): Promise<ScoreResult> {
    const start = performance.now();
    const { signal, colour: tellsColour = false } = request;
    const timings: Timings = { decodeMs: 0, queueMs: 0, inferMs: 0, totalMs: 0 };
    const result = emptyResult(item, judge.stamp);
    let leave = () => {};
    try {
      leave = await booking.enter(signal);
      timings.queueMs = performance.now() - start;
      const asked = request.policy ?? config.policy;
      const policy = policyOf(asked, judge.policy);
      await examine({ item, judge, policy, signal, tellsColour, result, timings });
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

  return {
    async score(request) {
      const { items, client, patienceMs = 0, signal } = request;
      const failed = (item: ScoreItem, judge?: Judge) =>
        failedResult(item, judge?.stamp ?? null, signal.reason);
      let judge: Judge | undefined;
      let booking: Booking;
      try {
        judge = await orAbort(judges.open(request.scorer), signal);
        booking = await queue.book(client, items.length, patienceMs, signal);
      } catch (error) {
        if (signal.aborted) return items.map((item) => failed(item, judge));
        throw error;
      }
      // What goes on of an item that was given up may fill the cache; its result is nobody's.
      const scoreUntilAbort = (item: ScoreItem) =>
        orAbort(scoreItem(item, judge, request, booking), signal).catch(() => failed(item, judge));
      return Promise.all(items.map(scoreUntilAbort));
    },
    load: () => ({ waiting: queue.waiting, running: queue.running }),
    pressure: () => queue.pressure,
  };
}

/** What the image and the judge say together. */
function findingOf(
  pixels: Decoded,
  found: GuardFinding[],
  judged: Judgement,
): Finding {
  const { width, height, notes = [] } = pixels;
  const guards = together(...found, ...judged.foreign);
  const reward = guards.length > 0 ? null : judged.reward;
  const { aspects, truncated } = judged;
  const cut = truncated ? { truncated } : {};
  const colour = colourOf(pixels);
  return { width, height, guards, aspects, colour, reward, notes: [...notes, ...judged.notes], ...cut };
}

const nameOf = (sha256: string, image: ImageInput): string =>
  image.kind === 'raw' ? `${sha256} ${image.format} ${image.width}x${image.height}` : sha256;

/** Same image, same prompt, same judge and weights: same finding. A hash, since prompts may be long. */
function keyOf({ name }: Received, prompt: string | null, { stamp }: Judge): string {
  const { id, version, weights, calibration } = stamp;
  return hash('sha256', [name, id, version, weights, calibration, prompt ?? '\0'].join('\n'));
}
