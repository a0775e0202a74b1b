/** WebGPU for real, on a GPU in software: what is tried, what is loaded, how it is told. The real model: npm run bench:gpu. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assay, type Outcome, outcomeOf } from '../../support/cli.ts';
import { packedGraph, writeModel } from '../../support/models.ts';
import { noSoftwareGpu, softwareGpu } from '../../support/webgpu.ts';

const obstacle = noSoftwareGpu();
const SCRIPT = fileURLToPath(new URL('../../support/on-webgpu.ts', import.meta.url));

function run(file: string, argument: string, folder: string): Promise<Outcome> {
  const env = { ...process.env, ...softwareGpu(folder) };
  return outcomeOf(spawn(process.execPath, [file, argument], { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

describe.skipIf(obstacle)(
  `on a GPU in software${obstacle ? ` (skipped: ${obstacle})` : ''}`,
  { timeout: 120_000 },
  () => {
    // What the first test tries, the second one finds in the data folder.
    let parent: string;
    beforeAll(() => {
      parent = mkdtempSync(join(tmpdir(), 'assay-webgpu-'));
      writeModel(parent, { graph: packedGraph });
    });
    afterAll(() => rmSync(parent, { recursive: true }));

    it('is told from a faster one, and nodes that it leaves to the CPU are counted', async () => {
      const args = ['--models', parent, '--data-dir', parent, '--providers', 'webgpu'];
      const { stdout, code } = await assay(['models', 'info', 'test-bright', ...args], softwareGpu(parent));
      expect(code).toBe(0);
      expect(stdout).toContain('runs on    webgpu, variant fp32, loads and runs');
      expect(stdout).toMatch(
        /webgpu: yes \(float32, \d+\.\d times slower than the CPU: used only when it is asked for\)/,
      );
      expect(stdout).toMatch(/on the CPU none of the \d+ nodes of score with webgpu/);
      const { stdout: unasked } = await assay(['models', 'list', ...args.slice(0, 4)], softwareGpu(parent));
      expect(unasked).toMatch(/test-bright .* cpu /);
    });

    it('a scorer with four-bit weights runs there or on the CPU, and gives its memory back', async () => {
      const { stdout, stderr } = await run(SCRIPT, parent, parent);
      expect(stdout, stderr).not.toBe('');
      const found = JSON.parse(stdout);
      expect(found).toMatchObject({ gpu: 'or-cpu', provider: 'webgpu', precision: 'float32' });
      expect(found.scores[0]).toBeGreaterThan(0.5);
      expect(found.scores[0]).toBeCloseTo(found.scores[1], 3);
      expect(found.again).toBe(found.scores[0]);
      expect(found).toMatchObject({ before: [true], after: [false], released: { released: 2, pending: 0 } });
      const proofs = JSON.parse(readFileSync(join(parent, 'tested-scorers.json'), 'utf8'));
      expect(proofs.passed).toMatchObject([{ provider: 'webgpu', batch: found.batch }]);
    });
  },
);
