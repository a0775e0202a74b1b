/**
 * A daemon under attack: frames, bodies, cut connections and slow senders, beside one good client.
 *
 * npm run fuzz -- [--seed N] [--share 0..1]
 *
 * Ends with 1 when the daemon died or answered 500; the other figures depend on how busy the machine is, so they are
 * printed and judged by the reader: p95 of the good client ≤ 3 × quiet, longest block ≤ 50 ms, memory ≤ 1.3 × before.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz/fuzz.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, share: { type: 'string' } } });
const share = Number(values.share ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'assay-fuzz-'));
try {
  const report = await fuzz(
    {
      seed: Number(values.seed ?? Date.now() % 2 ** 31),
      frames: Math.ceil(50_000 * share),
      bodies: Math.ceil(20_000 * share),
      cuts: Math.ceil(2_000 * share),
      slowSenders: 20,
      lanes: 8,
      quietImages: 100,
      restMs: 10_000,
      flags: ['--data-dir', folder],
    },
    (line) => process.stderr.write(`${line}\n`),
  );
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.diedDuring || report.bodies['500'] ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
