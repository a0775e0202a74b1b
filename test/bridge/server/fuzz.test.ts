/** The attack of `npm run fuzz`, small: the real daemon outlives it, a good client is served beside it, nothing is kept. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fuzz } from '../../../bench/fuzz/fuzz.ts';
import { tempFolder } from '../../support/files.ts';
import { writeModel } from '../../support/models.ts';

test('frames, bodies, cut connections and slow senders', async () => {
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  const report = await fuzz({
    seed: Date.now() % 2 ** 31,
    frames: 600,
    bodies: 250,
    cuts: 40,
    slowSenders: 8,
    lanes: 4,
    quietImages: 10,
    restMs: 200,
    flags: [
      '--models',
      join(folder, 'models'),
      '--scorer',
      'test-bright',
      '--data-dir',
      join(folder, 'data'),
    ],
  });
  const told = `seed ${report.seed}`;
  expect(report.diedDuring, told).toBeNull();
  expect(report.exitCode, told).toBe(0);
  expect(report.goodClient.errors, told).toEqual([]);
  expect(report.goodClient.images, told).toBeGreaterThan(0);
  expect(report.bodies, told).not.toHaveProperty('500');
  expect(report.bodies, told).not.toHaveProperty('none');
  expect(report.bodies, told).toMatchObject({ 200: expect.any(Number), 400: expect.any(Number) });
  expect(report.requestBytesAfter, told).toBe(0);
}, 60_000);
