/** `assay bench`: speed and overhead on this machine, as ratios measured in one run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureCrowd } from '../bench/crowd.ts';
import { startDaemonUnderTest } from '../bench/daemon.ts';
import { median, round } from '../bench/figures.ts';
import { measureInvariance } from '../bench/invariance.ts';
import { measureLatency } from '../bench/latency.ts';
import { openRawSession } from '../bench/raw.ts';
import { measureThroughput } from '../bench/throughput.ts';
import type { Config } from '../config.ts';
import { EXIT } from '../errors/exit.ts';
import { startCollector } from '../lib/collector.ts';
import { counted } from '../lib/words.ts';
import { catalogOf, importedModels } from '../reward/model/catalog.ts';
import { refOf } from '../reward/model/manifest.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf } from './open.ts';

/** How much is measured. */
interface Effort {
  starts: number;
  latencyCount: number;
  throughputMs: number;
  imagesPerClient: number;
  invariantImages: number;
}

const FULL: Effort = {
  starts: 3,
  latencyCount: 60,
  throughputMs: 3000,
  imagesPerClient: 64,
  invariantImages: 32,
};
const QUICK: Effort = {
  starts: 1,
  latencyCount: 10,
  throughputMs: 400,
  imagesPerClient: 2,
  invariantImages: 8,
};

const report = (what: string): void =>
  void (process.stderr.isTTY && process.stderr.write(`measuring ${what} …\n`));

async function measureStartup(
  flags: string[],
  starts: number,
): Promise<{ readyMs: number; allMs: number[] }> {
  const times: number[] = [];
  for (let i = 0; i < starts; i++) {
    const daemon = await startDaemonUnderTest(flags);
    times.push(round(daemon.readyMs, 0));
    await daemon.stop();
  }
  return { readyMs: median(times), allMs: times };
}

/** The flags of this command as `serve` takes them, with a data folder that goes away; imported scorers stay there. */
function serveFlags(flags: ScorerFlags, config: Config, scorer: string, dataDir: string): string[] {
  const pairs: [string, string | undefined][] = [
    ['--scorer', scorer],
    ['--variant', flags.variant],
    ['--providers', flags.providers?.join(',')],
    ['--threads', String(config.threads)],
    ['--config', flags.config],
    ...[...config.modelDirs, importedModels(config)].map((dir): [string, string] => ['--models', dir]),
    ['--data-dir', dataDir],
  ];
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
}

async function measureAll(flags: ScorerFlags, config: Config, dataDir: string, effort: Effort) {
  const model = catalogOf(config).find();
  const { id, version, maxBatch } = model.manifest;
  const daemonFlags = serveFlags(flags, config, refOf(model.manifest), dataDir);
  report('start-up');
  const startup = await measureStartup(daemonFlags, effort.starts);
  report('batch invariance');
  const invariance = await measureInvariance(model, config, effort.invariantImages);
  const raw = await openRawSession(model, config);
  const daemon = await startDaemonUnderTest(daemonFlags);
  try {
    const idleMb = round(await daemon.rssMb(), 0);
    report('latency');
    const latency = await measureLatency(daemon.url, 1024, effort.latencyCount);
    report('throughput');
    const throughput = await measureThroughput(daemon.url, raw, {
      maxBatch,
      durationMs: effort.throughputMs,
    });
    report('many clients at once');
    const crowd = await measureCrowd(daemon, 32, effort.imagesPerClient);
    const memory = { rssMb: idleMb, afterMb: round(await daemon.rssMb(), 0) };
    const scorer = { id, version, threads: config.threads };
    return { scorer, throughput, latency, startup, memory, crowd, invariance };
  } finally {
    await raw.close();
    await daemon.stop();
  }
}

type Figures = Awaited<ReturnType<typeof measureAll>>;

function print({ scorer, throughput, latency, startup, memory, crowd, invariance }: Figures): void {
  const rows: [string, string, string][] = [
    [
      'throughput',
      `${throughput.ratio} of the bare session`,
      `${throughput.endToEndPerSecond} of ${throughput.rawPerSecond} images/s, ${throughput.imageSize}² raw RGB over the websocket, ${scorer.threads} thread(s)`,
    ],
    [
      'latency added',
      `${latency.addedP50Ms} ms (p50)`,
      `p95 ${latency.addedP95Ms} ms; ${latency.imageSize}² raw RGB, inference ${latency.inferP50Ms} ms`,
    ],
    ['start to ready', `${startup.readyMs} ms`, `median of ${startup.allMs.join(', ')}`],
    ['memory', `${memory.rssMb} MB`, `${memory.afterMb} MB after the load`],
    [
      `${crowd.clients} × ${counted(crowd.imagesEach, 'image')}`,
      `${crowd.failures} failures`,
      `slowest client ${crowd.slowestOverFastest} × fastest, memory +${crowd.memoryGrowthMb} MB at most`,
    ],
    [
      'same score',
      `± ${invariance.largestDifference.toExponential(1)}`,
      `${invariance.images} images; batches 1–${invariance.images}, any order, 1 and 2 threads`,
    ],
  ];
  process.stdout.write(`${scorer.id} ${scorer.version} on this machine\n\n`);
  for (const [name, value, note] of rows)
    process.stdout.write(`${name.padEnd(15)} ${value.padEnd(26)} ${note}\n`);
}

export async function bench(flags: ScorerFlags & { json?: boolean; quick?: boolean }): Promise<number> {
  const config = configOf(flags);
  const dataDir = mkdtempSync(join(tmpdir(), 'assay-bench-'));
  // The client that is measured with runs here: its own garbage must not slow it.
  const collector = startCollector();
  try {
    const figures = await measureAll(flags, config, dataDir, flags.quick ? QUICK : FULL);
    if (flags.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
    else print(figures);
    return EXIT.ok;
  } finally {
    collector.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
