/** End-to-end throughput (raw RGB over the websocket) against the bare session, taken in turns. */
import { connect } from './client.ts';
import { median, round, testPicture } from './figures.ts';
import type { RawSession } from './raw.ts';

export interface Throughput {
  /** End to end ÷ raw, median of the pairs. */
  ratio: number;
  ratios: number[];
  endToEndPerSecond: number;
  rawPerSecond: number;
  imageSize: number;
}

/** Requests in flight: enough that the daemon always has a batch to take. */
const IN_FLIGHT = 48;
const PAIRS = 5;

async function endToEnd(
  url: string,
  images: Uint8Array[],
  size: number,
  durationMs: number,
): Promise<number> {
  const client = await connect(url);
  const stop = performance.now() + durationMs;
  let done = 0;
  let next = 0;
  const lane = async () => {
    while (performance.now() < stop) {
      await client.score(images[next++ % images.length]!, size);
      done++;
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const seconds = (performance.now() - start) / 1000;
  client.close();
  return done / seconds;
}

/** The better of one image at a time and full batches. */
async function rawLimit(raw: RawSession, maxBatch: number, durationMs: number): Promise<number> {
  const single = await raw.imagesPerSecond(1, durationMs / 2);
  const full = await raw.imagesPerSecond(maxBatch, durationMs / 2);
  return Math.max(single, full);
}

/** Measures pairs of raw and end-to-end runs of `durationMs` each. */
export async function measureThroughput(
  url: string,
  raw: RawSession,
  {
    maxBatch,
    durationMs = 3000,
    imageSize = 512,
  }: { maxBatch: number; durationMs?: number; imageSize?: number },
): Promise<Throughput> {
  const images = Array.from({ length: 16 }, (_, i) => testPicture(imageSize, i));
  await endToEnd(url, images, imageSize, 500);
  const pairs: { raw: number; all: number }[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const limit = await rawLimit(raw, maxBatch, durationMs);
    pairs.push({ raw: limit, all: await endToEnd(url, images, imageSize, durationMs) });
  }
  const ratios = pairs.map((p) => round(p.all / p.raw, 3));
  return {
    ratio: median(ratios),
    ratios,
    imageSize,
    endToEndPerSecond: round(median(pairs.map((p) => p.all))),
    rawPerSecond: round(median(pairs.map((p) => p.raw))),
  };
}
