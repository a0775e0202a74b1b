/**
 * A process of its own that tries one execution provider, for drivers that crash or hang: `node trial.ts PROVIDER`.
 * Prints what it has found as lines of JSON, each of which holds what the one before does.
 */
import { availableParallelism } from 'node:os';
import { reasonOf } from '../../errors/error.ts';
import { silence } from '../../lib/quiet.ts';
import { TRIAL, trialModel } from './onnx/trial-graph.ts';
import type { Precision } from './onnx/widen.ts';
import { openOnnxSession } from './session.ts';
import type { Tensors } from './tensor.ts';
import type { Trial } from './trials.ts';

/** Of a product of 768 numbers; float16 has an error of a thousandth. */
const LARGEST_ERROR = 0.02;
const RUNS = 4;
/** After a run like that nothing is won by another. */
const SLOW_MS = 200;

interface Timed {
  ms: number;
  values: Float32Array;
}

/** As many as a scorer has by default. */
const THREADS = Math.max(1, availableParallelism() - 1);

/** The fastest of a few runs, on the provider alone. @throws what the runtime throws */
async function time(provider: string, precision: Precision): Promise<Timed> {
  const graph = trialModel();
  const session = await openOnnxSession({
    ...{ scorer: 'trial', backend: 'onnx', graph, gpuGraph: graph, providers: [provider] },
    ...{ threads: THREADS, precision, isWhole: true },
  });
  const data = Float32Array.from({ length: TRIAL.rows * TRIAL.side }, (_, i) => Math.sin(i));
  const x = { dtype: 'float32' as const, dims: [TRIAL.rows, TRIAL.side], data };
  let ms = Number.POSITIVE_INFINITY;
  let outputs: Tensors = {};
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    outputs = await session.run({ x });
    const took = performance.now() - start;
    if (run > 0) ms = Math.min(ms, took); // the first one compiles
    if (run > 0 && took > SLOW_MS) break;
  }
  await session.release();
  return { ms, values: outputs.y!.data as Float32Array };
}

/** Largest difference, as a share of the deviation of what is expected. */
function errorOf(found: Float32Array, expected: Float32Array): number {
  const deviation = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  const largest = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
  return largest / deviation;
}

const isRight = (found: Timed, expected: Timed): boolean =>
  errorOf(found.values, expected.values) <= LARGEST_ERROR;

const tell = (trial: Trial): void => void process.stdout.write(`${JSON.stringify(trial)}\n`);

async function main(provider: string): Promise<void> {
  silence();
  try {
    const cpu = await time('cpu', 'float32');
    const full = await time(provider, 'float32');
    if (!isRight(full, cpu)) return tell({ reason: 'it computes wrong numbers', half: false, speed: null });
    tell({ reason: '', half: false, speed: cpu.ms / full.ms });
    const half = await time(provider, 'float16').catch(() => undefined);
    if (half && isRight(half, cpu)) tell({ reason: '', half: true, speed: cpu.ms / half.ms });
  } catch (error) {
    tell({ reason: reasonOf(error), half: false, speed: null });
  }
}

await main(process.argv[2]!);
// Some drivers crash while they are unloaded.
process.exit(0);
