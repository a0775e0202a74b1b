/** Many clients at once: nobody fails, nobody starves, memory stays flat. */
import { connect } from './client.ts';
import type { DaemonUnderTest } from './daemon.ts';
import { round, testPicture } from './figures.ts';

export interface Crowd {
  clients: number;
  imagesEach: number;
  failures: number;
  /** Time of the slowest client ÷ time of the fastest. */
  slowestOverFastest: number;
  imagesPerSecond: number;
  /** Highest resident memory during the run minus that before it. */
  memoryGrowthMb: number;
}

const SIZE = 512;

/** One client that sends all its images at once; the time until the last answer, and how many failed. */
async function client(
  url: string,
  image: Uint8Array,
  count: number,
): Promise<{ ms: number; failures: number }> {
  const connection = await connect(url);
  const start = performance.now();
  const answers = await Promise.allSettled(
    Array.from({ length: count }, () => connection.score(image, SIZE)),
  );
  const ms = performance.now() - start;
  connection.close();
  return { ms, failures: answers.filter((a) => a.status === 'rejected' || a.value.error).length };
}

async function watchMemory(daemon: DaemonUnderTest, until: Promise<unknown>): Promise<number> {
  let peak = 0;
  let over = false;
  void until.finally(() => {
    over = true;
  });
  while (!over) {
    peak = Math.max(peak, await daemon.rssMb());
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return peak;
}

/** `clients` connections send `imagesEach` raw images each, all at once. */
export async function measureCrowd(daemon: DaemonUnderTest, clients = 32, imagesEach = 64): Promise<Crowd> {
  const before = await daemon.rssMb();
  const start = performance.now();
  const running = Promise.all(
    Array.from({ length: clients }, (_, i) => client(daemon.url, testPicture(SIZE, i), imagesEach)),
  );
  const peak = await watchMemory(daemon, running);
  const results = await running;
  const times = results.map((r) => r.ms);
  return {
    clients,
    imagesEach,
    failures: results.reduce((sum, r) => sum + r.failures, 0),
    slowestOverFastest: round(Math.max(...times) / Math.min(...times)),
    imagesPerSecond: round((clients * imagesEach * 1000) / (performance.now() - start)),
    memoryGrowthMb: round(peak - before, 0),
  };
}
