/** What the daemon adds to inference for one image at a time: sending, guards, resizing, calibration, answering. */
import { connect } from './client.ts';
import { quantile, round, testPicture } from './figures.ts';

export interface Latency {
  /** Round trip minus inference. */
  addedP50Ms: number;
  addedP95Ms: number;
  roundTripP50Ms: number;
  inferP50Ms: number;
  imageSize: number;
}

/** One raw RGB image of `imageSize²` at a time over the websocket, `count` times after a warm-up. */
export async function measureLatency(url: string, imageSize = 1024, count = 60): Promise<Latency> {
  const client = await connect(url);
  const images = Array.from({ length: 4 }, (_, i) => testPicture(imageSize, i));
  const rounds: { total: number; infer: number }[] = [];
  for (let i = 0; i < count + 5; i++) {
    const start = performance.now();
    const { timings } = await client.score(images[i % images.length]!, imageSize);
    rounds.push({ total: performance.now() - start, infer: timings!.inferMs });
  }
  client.close();
  const measured = rounds.slice(5);
  const added = measured.map((r) => r.total - r.infer);
  return {
    addedP50Ms: round(quantile(added, 0.5)),
    addedP95Ms: round(quantile(added, 0.95)),
    roundTripP50Ms: round(
      quantile(
        measured.map((r) => r.total),
        0.5,
      ),
    ),
    inferP50Ms: round(
      quantile(
        measured.map((r) => r.infer),
        0.5,
      ),
    ),
    imageSize,
  };
}
