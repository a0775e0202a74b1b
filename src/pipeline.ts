/**
 * The path of one image, in ten steps, on one screen. Step 1 belongs to the bridge that receives the request, step 10
 * to runtime.ts, which replies and records.
 */
import { hash } from 'node:crypto';
import type { Config } from './config.ts';
import { toAssayError } from './errors/error.ts';
import { textsOf } from './files/metadata/texts.ts';
import { orAbort } from './lib/abort.ts';
import { type Booking, FairQueue, type Pressure } from './lib/fair-queue.ts';
import { Held } from './lib/held.ts';
import { SharedCache } from './lib/shared-cache.ts';
import type { Log } from './log.ts';
import { decide, policyOf } from './loops/policy/policy.ts';
import { notesOn, resolvePrompt } from './prompt/resolve.ts';
import { emptyResult, failedResult } from './results.ts';
import { colourOf } from './reward/image/colour.ts';
import { type Decoded, decode, decodeAtOnce } from './reward/image/decode.ts';
import { inspect, measure, type PixelStatistics, together } from './reward/image/guards.ts';
import { PixelMemory, type Place } from './reward/image/pixel-memory.ts';
import { inspectOrder } from './reward/image/pixel-order.ts';
import { sha256Of } from './reward/image/slices.ts';
import { Manners } from './reward/manners.ts';
import type { GuardFinding } from './types/guard.ts';
import type { Colour, ImageInput } from './types/image.ts';
import type { Judge, Judgement, Judges } from './types/judge.ts';
import type { Policy } from './types/policy.ts';
import type { PanelRequest, ScoreItem, ScoreRequest } from './types/request.ts';
import type { ScoreResult, Timings } from './types/result.ts';

/** What does not depend on who asks: kept for identical requests. */
type Finding = Pick<ScoreResult, 'width' | 'height' | 'guards' | 'reward' | 'notes' | 'truncated'> & {
  aspects: NonNullable<ScoreResult['aspects']>;
  colour: Colour;
};

/** One image on its way to one judge. */
interface Work {
  item: ScoreItem;
  judge: Judge;
  policy: Policy;
  /** Who asks, and when the scorer may have the GPU. */
  client: string;
  manners: Manners;
  signal: AbortSignal;
  start: number;
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

/** The pixels of an image, for all of its judges. */
interface Sight {
  pixels: Decoded;
  statistics: PixelStatistics;
  /** What their order says. */
  order: GuardFinding[];
  /** Milliseconds that it took, and that were waited for memory. */
  decodeMs: number;
  waitedMs: number;
}

/** Images inside at least: enough to keep the decoding threads busy. */
const MIN_INSIDE = 8;

/** Memory for decoded images: some twenty of 4 megapixels, or one of 64. */
const DECODED_BYTES = 256 * 2 ** 20;

export class Pipeline {
  readonly #judges: Judges;
  readonly #config: Config;
  readonly #log: Pick<Log, 'error'> | undefined;
  readonly #queue: FairQueue;
  readonly #findings: SharedCache<Finding>;
  readonly #memory = new PixelMemory(DECODED_BYTES);
  readonly #manners: Manners;

  /** @param log told of faults that are ours, with their cause. @param manners beside others on the GPU */
  constructor(
    judges: Judges,
    config: Config,
    log?: Pick<Log, 'error'>,
    manners = new Manners(config.gpu.whileSampling),
  ) {
    const { maxQueue, maxQueuePerClient } = config.limits;
    this.#judges = judges;
    this.#config = config;
    this.#log = log;
    this.#manners = manners;
    const least = Math.max(MIN_INSIDE, judges.width);
    // More once it is known which batches pay.
    this.#queue = new FairQueue(() => Math.max(least, judges.width), maxQueue, maxQueuePerClient);
    this.#findings = new SharedCache(config.resultCache);
  }

  load(): { waiting: number; running: number } {
    return { waiting: this.#queue.waiting, running: this.#queue.running };
  }

  pressure(): Pressure {
    return this.#queue.pressure;
  }

  /**
   * Scores a request; one bad item fails alone. When its signal aborts, what is finished comes back at once, and the
   * reason stands in the other items.
   *
   * @throws BUSY, CLIENT_BUSY, TOO_MANY_IMAGES, UNKNOWN_SCORER and what loading a scorer throws
   */
  async score({ scorer, ...request }: ScoreRequest): Promise<ScoreResult[]> {
    const results = await this.panel({ ...request, scorers: [scorer] });
    return results.map(([result]) => result!);
  }

  /** The same for several scorers: of each item one result a scorer. An image is fetched, decoded and guarded once. */
  async panel(request: PanelRequest): Promise<ScoreResult[][]> {
    const { items, scorers, client, patienceMs = 0, signal } = request;
    let judges: Judge[] = [];
    let booking: Booking;
    const givenUp = (item: ScoreItem) =>
      scorers.map((_, i) => failedResult(item, judges[i]?.stamp ?? null, signal.reason));
    try {
      judges = await orAbort(Promise.all(scorers.map((scorer) => this.#judges.open(scorer))), signal);
      booking = await this.#queue.book(client, items.length, patienceMs, signal);
    } catch (error) {
      if (signal.aborted) return items.map(givenUp);
      throw error;
    }
    // What goes on of an item that was given up may fill the cache; its result is nobody's.
    const scoreUntilAbort = (item: ScoreItem) =>
      orAbort(this.#scoreItem(item, judges, request, booking), signal).catch(() => givenUp(item));
    return Promise.all(items.map(scoreUntilAbort));
  }

  /** One result for each judge. */
  async #scoreItem(
    item: ScoreItem,
    judges: Judge[],
    request: PanelRequest,
    booking: Booking,
  ): Promise<ScoreResult[]> {
    const start = performance.now();
    const { signal, client, policy: asked = this.#config.policy, colour: tellsColour = false } = request;
    const manners = this.#manners;
    const panel = judges.map((judge): Work => {
      const timings: Timings = { decodeMs: 0, queueMs: 0, inferMs: 0, totalMs: 0 };
      const policy = policyOf(asked, judge.policy);
      const result = emptyResult(item, judge.stamp);
      return { item, judge, policy, client, manners, signal, start, tellsColour, result, timings };
    });
    let leave = () => {};
    try {
      leave = await booking.enter(signal);
      for (const { timings } of panel) timings.queueMs = performance.now() - start;
      await this.#examine(item, panel, signal);
    } catch (thrown) {
      for (const work of panel) this.#fail(work, thrown);
    } finally {
      leave();
    }
    return panel.map(({ result }) => result);
  }

  #fail({ item, result }: Work, thrown: unknown): void {
    const error = toAssayError(thrown);
    if (error.kind === 'internal') this.#log?.error({ err: error, id: item.id }, 'an image failed');
    result.error = { code: error.code, message: error.message };
  }

  /** 2 to 9 for one image and all of its judges. */
  async #examine(item: ScoreItem, panel: Work[], signal: AbortSignal): Promise<void> {
    // 2 fetch
    const image = await item.fetch(signal, this.#config.limits.maxImageBytes);
    const received = await this.#identify(image, panel, signal);
    const known = { ...resolvePrompt(item, image, textsOf), sha256: received.sha256 };
    const sight = this.#sightOf(received);
    const findIn = async (work: Work) => {
      Object.assign(work.result, known);
      await this.#find(received, sight, work);
    };
    await Promise.all(panel.map((work) => findIn(work).catch((error) => this.#fail(work, error))));
  }

  /** Pixels that need no decoding are prepared in other threads while they are hashed here. */
  async #identify(image: ImageInput, panel: Work[], signal: AbortSignal): Promise<Received> {
    const early = this.#pixelsAtOnce(image);
    if (early) for (const { judge } of panel) judge.ahead?.(early);
    const sha256 = await sha256Of(image.bytes, signal);
    return { image, early, sha256, name: nameOf(sha256, image) };
  }

  /** What is wrong with an image is told when it is decoded. */
  #pixelsAtOnce(image: ImageInput): Decoded | undefined {
    try {
      return decodeAtOnce(image, this.#decoding);
    } catch {
      return undefined;
    }
  }

  /** Decoded when the first judge looks, and in memory until the last one has looked. */
  #sightOf({ image, early, name }: Received): Held<Sight> {
    let place: Place | undefined;
    const open = async (signal: AbortSignal): Promise<Sight> => {
      place = this.#memory.place(signal);
      const start = performance.now();
      // 3 decode
      const pixels = early ?? (await decode(image, { ...this.#decoding, admit: place.take }, signal));
      pixels.key = `${name} ${this.#config.background}`;
      // 4 guard
      const seen = { pixels, statistics: measure(pixels), order: inspectOrder(image) };
      const { waitedMs } = place;
      return { ...seen, waitedMs, decodeMs: performance.now() - start - waitedMs };
    };
    return new Held(open, () => place?.leave());
  }

  async #find(received: Received, sight: Held<Sight>, work: Work): Promise<void> {
    const { judge, policy, result, timings, start, signal, tellsColour } = work;
    const look = (until: AbortSignal) => sight.use((seen) => judged(seen, work, until), until);
    const { notes, colour, ...finding } = await this.#findings.get(
      keyOf(received, result.prompt, judge),
      look,
      signal,
    );
    result.notes.push(...notesOn(result), ...notes);
    // 9 decide
    Object.assign(result, finding, decide(finding, policy), tellsColour && { colour });
    timings.totalMs = performance.now() - start;
    result.timings = timings;
  }

  get #decoding() {
    const { limits, background } = this.#config;
    return { ...limits, background };
  }
}

/** 4 to 8: what there is to find in the pixels. */
async function judged(seen: Sight, work: Work, signal: AbortSignal): Promise<Finding> {
  const { judge, result, timings, client, manners } = work;
  const { pixels, statistics, order, decodeMs, waitedMs } = seen;
  const found = [...order, ...inspect(pixels, judge.domain, statistics)];
  if (found.length > 0 && judge.asksElsewhere) {
    timings.decodeMs = decodeMs;
    timings.queueMs += waitedMs;
    return findingOf(pixels, found, unasked(judge));
  }
  // 5 prepare, 6 batch, 7 infer, 8 calibrate
  const turn = await manners.turn(judge, client, signal);
  const judgement = await judge.judge(pixels, result.prompt, signal, turn.onCpu);
  timings.decodeMs = decodeMs;
  timings.queueMs += waitedMs + turn.waitedMs + judgement.queueMs;
  if (turn.whileSampling) timings.whileSampling = turn.whileSampling;
  timings.inferMs = judgement.inferMs;
  if (judgement.tokens !== undefined) timings.tokens = judgement.tokens;
  return findingOf(pixels, found, judgement);
}

/** What an image that is not sent gets in the place of scores. */
const unasked = ({ stamp: { id } }: Judge): Judgement => ({
  aspects: { quality: null, alignment: null, authenticity: null },
  ...{ reward: null, foreign: [], queueMs: 0, inferMs: 0 },
  notes: [`${id} was not asked: a guard stopped the image before it was sent`],
});

/** What the image and the judge say together. */
function findingOf(pixels: Decoded, found: GuardFinding[], judged: Judgement): Finding {
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
