import { expect, it } from 'vitest';
import { assay } from '../support/cli.ts';

it('assay bench measures throughput, latency, start-up, memory, fairness and invariance', async () => {
  const { code, stdout, stderr } = await assay(['bench', '--scorer', 'assay-lite', '--quick', '--json']);
  expect([code, stderr]).toEqual([0, '']);
  const figures = JSON.parse(stdout);
  expect(figures.throughput.ratio).toBeGreaterThan(0);
  expect(figures.latency.addedP50Ms).toBeGreaterThan(0);
  expect(figures.startup.readyMs).toBeGreaterThan(0);
  expect(figures.memory.rssMb).toBeGreaterThan(0);
  expect(figures.crowd).toMatchObject({ clients: 32, failures: 0 });
  expect(figures.invariance.largestDifference).toBeLessThan(1e-4);
}, 240_000);
