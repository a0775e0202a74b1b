/** A client that scores a small image now and then, in a thread of its own, and tells how long each took. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../src/bench/client.ts';

/** Milliseconds from one image to the next. */
const PAUSE_MS = 100;
const SIDE = 128;

/** Another picture each time: nothing remembered answers it. */
function picture(seed: number): Uint8Array {
  return Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => 128 + 90 * Math.sin(i / 97 + seed));
}

const client = await connect(workerData.url);
for (let seed = 0; ; seed++) {
  const data = picture(seed);
  const start = performance.now();
  const error = await client.score(data, SIDE).then(
    (result) => result.error?.code ?? null,
    (reason: Error) => reason.message,
  );
  parentPort!.postMessage({ ms: performance.now() - start, error });
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
