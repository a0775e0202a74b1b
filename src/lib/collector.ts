/**
 * Keeps received images from piling up, or from being collected one by one.
 *
 * They are memory outside the JavaScript heap. By default every few of them start a full collection of a heap that
 * holds next to nothing: 15 a second under load. Counted together with the heap they start almost none, and garbage
 * grows with the machine's memory. So they are counted with the heap, and collected here at a bound of our own.
 */
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Garbage worth a collection, which takes some 15 ms. */
const BOUND_BYTES = 128 * 2 ** 20;
/** Garbage worth one when there is nothing else to do. */
const IDLE_BOUND_BYTES = 8 * 2 ** 20;
const IDLE_MS = 1000;
const CHECK_EVERY_MS = 100;

export interface Collector {
  /** Tells that so many bytes which had been held for long are garbage now: nothing new may come to show it. */
  freed(bytes: number): void;
  stop(): void;
}

/**
 * The engine's collector, which scripts do not see unless asked for. The other ways to it are worse: `--expose-gc` at the
 * start needs a second process, since a shebang and `npm` pass no flags on; an inspector session stays open and collects
 * when it comes to it, not when it is told, and some builds of Node have none. The flag is set while the function is
 * fetched, and only then: no other script gets to see it.
 */
function engineCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}

/** Room for young objects, large enough for most to die there; left alone, the engine makes it 100 MB and keeps it. */
const YOUNG_BYTES = 16 * 2 ** 20;

const youngBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;

/** Lets that room double, or not any more. @returns how large it is; a collection makes it small again, but not always */
function boundYoung(): number {
  const bytes = youngBytes();
  setFlagsFromString(`--semi-space-growth-factor=${bytes >= YOUNG_BYTES ? 1 : 2}`);
  return bytes;
}

/** Unlike `process.memoryUsage`, this reads no file, which fails when there are too many. */
const heldBytes = (): number => getHeapStatistics().external_memory;

/** Starts watching. Does nothing on engines that cannot count buffers with the heap. */
export function startCollector(): Collector {
  if (Number(process.versions.v8.split('.')[0]) < 13) return { freed: () => {}, stop: () => {} };
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  let collect: (() => void) | undefined;
  let floor = 0;
  /** Room for young objects that the last collection left: what it cannot give back is no reason for another. */
  let youngLeft = 0;
  let freed = 0;
  let freedAt = 0;
  const timer = setInterval(() => {
    const young = boundYoung();
    const held = heldBytes();
    floor = Math.min(floor, held);
    youngLeft = Math.min(youngLeft, young);
    const isIdle = performance.now() - freedAt > IDLE_MS;
    const isTooYoung = young >= 2 * YOUNG_BYTES && young > youngLeft;
    const isWorthwhile = isIdle ? freed >= IDLE_BOUND_BYTES || isTooYoung : freed >= BOUND_BYTES;
    if (held - floor < BOUND_BYTES && !isWorthwhile) return;
    collect ??= engineCollector(); // takes a while, so not at the start
    collect();
    floor = heldBytes();
    youngLeft = youngBytes();
    freed = 0;
  }, CHECK_EVERY_MS).unref();
  return {
    freed(bytes) {
      freed += bytes;
      freedAt = performance.now();
    },
    stop: () => clearInterval(timer),
  };
}
