/**
 * Keeps received images from piling up, or from being collected one by one.
 *
 * They are memory outside the JavaScript heap. By default every few of them start a full collection of a heap that
 * holds next to nothing: 15 a second under load. Counted together with the heap they start almost none, and garbage
 * grows with the machine's memory. So they are counted with the heap, and collected here at a bound of our own.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Garbage worth a collection, which takes some 15 ms. */
const BOUND_BYTES = 128 * 2 ** 20;
const CHECK_EVERY_MS = 100;

/** The engine's collector, which scripts do not see unless asked for. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}

/** Memory of buffers. The engine's own figure: those of the process are read from a file, which can fail. */
const heldBytes = (): number => getHeapStatistics().external_memory;

/** Starts watching; the returned function stops it. Does nothing on engines that cannot count buffers with the heap. */
export function startCollector(): () => void {
  if (Number(process.versions.v8.split('.')[0]) < 13) return () => {};
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  const collect = collector();
  let floor = 0;
  const timer = setInterval(() => {
    const held = heldBytes();
    floor = Math.min(floor, held);
    if (held - floor < BOUND_BYTES) return;
    collect();
    floor = heldBytes();
  }, CHECK_EVERY_MS).unref();
  return () => clearInterval(timer);
}
