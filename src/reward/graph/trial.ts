/**
 * A process of its own that tries one execution provider, for drivers that crash or hang: `node trial.ts PROVIDER`.
 * Prints what it has found as lines of JSON, each of which holds what the one before does.
 */
import { availableParallelism } from 'node:os';
import { reasonOf } from '../../errors/error.ts';
import { silence } from '../../lib/quiet.ts';
import { TRIAL_SIDE, trialModel } from './onnx/trial-graph.ts';
import type { Precision } from './onnx/widen.ts';
import { openOnnxSession } from './session.ts';
import type { Tensor } from './tensor.ts';
import type { Trial } from './trials.ts';

/** Of a product of 768 numbers; float16 has an error of a thousandth. */
const LARGEST_ERROR = 0.02;
/** Rows of a first look, which even a program that plays a GPU does in a second, and of a real piece of work. */
const FEW = 32;
const MANY = 2048;
/** A GPU does the few in less, however slow it is. */
const LONGEST_MS = 50;
/** As many as a scorer has by default. */
const THREADS = Math.max(1, availableParallelism() - 1);

/** What a provider made of the few rows, and how long it took for as many as the others were timed with. */
interface Found {
  values: Float32Array;
  msFor(rows: number): Promise<number>;
  release(): Promise<void>;
}

const inputOf = (rows: number): Tensor => ({
  dtype: 'float32',
  dims: [rows, TRIAL_SIDE],
  data: Float32Array.from({ length: rows * TRIAL_SIDE }, (_, i) => Math.sin(i)),
});

/** On the provider alone. @throws what the runtime throws */
async function open(provider: string, precision: Precision): Promise<Found> {
  const graph = trialModel();
  const session = await openOnnxSession({
    ...{ scorer: 'trial', backend: 'onnx', graph, gpuGraph: graph, providers: [provider] },
    ...{ threads: THREADS, precision, isWhole: true },
  });
  const few = await session.run({ x: inputOf(FEW) });
  return {
    values: few.y!.data as Float32Array,
    async msFor(rows) {
      const x = inputOf(rows);
      if (rows !== FEW) await session.run({ x }); // the first one compiles
      const start = performance.now();
      await session.run({ x });
      return performance.now() - start;
    },
    release: () => session.release(),
  };
}

/** Largest difference, as a share of the deviation of what is expected. */
function errorOf(found: Float32Array, expected: Float32Array): number {
  const deviation = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  const largest = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
  return largest / deviation;
}

const isRight = ({ values }: Found, expected: Found): boolean =>
  errorOf(values, expected.values) <= LARGEST_ERROR;

async function speedOf(found: Found, cpu: Found): Promise<number> {
  const few = await found.msFor(FEW);
  if (few > LONGEST_MS) return (await cpu.msFor(FEW)) / few;
  return (await cpu.msFor(MANY)) / (await found.msFor(MANY));
}

const tell = (trial: Trial): void => void process.stdout.write(`${JSON.stringify(trial)}\n`);

async function main(provider: string): Promise<void> {
  silence();
  try {
    const cpu = await open('cpu', 'float32');
    const full = await open(provider, 'float32');
    if (!isRight(full, cpu)) return tell({ reason: 'it computes wrong numbers', half: false, speed: null });
    tell({ reason: '', half: false, speed: await speedOf(full, cpu) });
    await full.release();
    const half = await open(provider, 'float16').catch(() => undefined);
    if (half && isRight(half, cpu)) tell({ reason: '', half: true, speed: await speedOf(half, cpu) });
  } catch (error) {
    tell({ reason: reasonOf(error), half: false, speed: null });
  }
}

await main(process.argv[2]!);
// Some drivers crash while they are unloaded.
process.exit(0);
