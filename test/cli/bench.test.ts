import { expect, it } from 'vitest';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';

it('assay bench measures throughput, latency, start-up, memory, fairness and invariance', async () => {
  const folder = tempFolder();
  writeModel(folder);
  const flags = ['--models', folder, '--scorer', 'test-bright', '--data-dir', folder];
  const { code, stdout, stderr } = await assay(['bench', '--quick', '--json', ...flags]);
  expect([code, stderr]).toEqual([0, '']);
  const figures = JSON.parse(stdout);
  // Its net costs next to nothing, so the ratio may be rounded to 0 on a busy machine; its parts may not.
  const { ratio, endToEndPerSecond, rawPerSecond } = figures.throughput;
  expect([ratio >= 0, endToEndPerSecond > 0, rawPerSecond > 0]).toEqual([true, true, true]);
  expect(figures.latency.addedP50Ms).toBeGreaterThan(0);
  expect(figures.startup.readyMs).toBeGreaterThan(0);
  expect(figures.memory.rssMb).toBeGreaterThan(0);
  expect(figures.crowd).toMatchObject({ clients: 32, failures: 0 });
  expect(figures.invariance.largestDifference).toBeLessThan(1e-4);
}, 240_000);
