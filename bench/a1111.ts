/**
 * The extension of the AUTOMATIC1111 family: what judging adds to a job of 8 images of 512², against bare inference. The
 * host is the stand-in of the tests, since a real one samples for minutes; all else is real: daemon, sockets, extension.
 *
 * npm run bench:a1111
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startDaemonUnderTest } from '../src/bench/daemon.ts';
import { median, round } from '../src/bench/figures.ts';
import { openRawSession } from '../src/bench/raw.ts';
import { configOf } from '../src/cli/open.ts';
import { catalogOf } from '../src/reward/model/catalog.ts';

const SHIM = fileURLToPath(new URL('../python-shim', import.meta.url));
const ROUNDS = 11;
const BATCH = 8;
const SIZE = 512;
const REST_MS = 500;
/** Bare inference is measured for so long. */
const BARE_MS = 2000;

const scorer = process.argv[2];
const dataDir = mkdtempSync(join(tmpdir(), 'assay-bench-'));
const config = configOf({ dataDir, ...(scorer !== undefined && { scorer }) });
const flags = scorer === undefined ? [] : ['--scorer', scorer];
const daemon = await startDaemonUnderTest(['--data-dir', dataDir, ...flags]);
const raw = await openRawSession(catalogOf(config).find(scorer), config);
const host = spawn(
  process.env.ASSAY_PYTHON ?? 'python3',
  [join(SHIM, 'tests/a1111_bench.py'), `${BATCH}`, `${SIZE}`],
  { env: { ...process.env, ASSAY_URL: daemon.url }, stdio: ['pipe', 'pipe', 'inherit'] },
);
const answers = createInterface({ input: host.stdout })[Symbol.asyncIterator]();

/** Milliseconds that judging one batch added. */
async function judgedMs(): Promise<number> {
  host.stdin.write('\n');
  const { value, done } = await answers.next();
  if (done) throw new Error('the host has ended');
  return Number(value) * 1000;
}

try {
  await judgedMs();
  const pairs: { bare: number; judged: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await pause(REST_MS);
    const bare = (BATCH * 1000) / (await raw.imagesPerSecond(1, BARE_MS, true));
    await pause(REST_MS);
    pairs.push({ bare, judged: await judgedMs() });
  }
  const ratios = pairs.map(({ bare, judged }) => round(judged / bare));
  const figures = {
    ratio: median(ratios),
    ratios: ratios.toSorted((a, b) => a - b),
    addedMs: round(median(pairs.map(({ judged }) => judged)), 1),
    inferenceMs: round(median(pairs.map(({ bare }) => bare)), 1),
  };
  console.log(JSON.stringify(figures, null, 2));
} finally {
  host.kill();
  await raw.close();
  await daemon.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
