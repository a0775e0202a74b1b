/** Several signals for one wish, as closing terminals and supervisors send them, do not cut the drain short. */
import { expect, it } from 'vitest';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const pairs: [NodeJS.Signals, NodeJS.Signals][] = [
  ['SIGTERM', 'SIGHUP'],
  ['SIGHUP', 'SIGHUP'],
  ['SIGINT', 'SIGTERM'],
];

it.skipIf(process.platform === 'win32').each(pairs)('%s and %s', async (first, second) => {
  const folder = tempFolder();
  writeModel(folder);
  const { url, child, stop } = await serve(['--models', folder, '-s', 'test-bright', '--data-dir', folder]);
  const { data, width, height } = picture(256, 256);
  const image = { format: 'rgb8', width, height, data: Buffer.from(data).toString('base64') };
  const items = Array.from({ length: 64 }, () => ({ image }));
  const answer = fetch(`${url}/v1/score`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items }),
  });
  const isIn = async () =>
    /assay_requests_in_flight [1-9]/.test(await (await fetch(`${url}/metrics`)).text());
  await Promise.race([
    answer,
    expect
      .poll(isIn, { interval: 5 })
      .toBe(true)
      .catch(() => {}),
  ]);
  child.kill(first);
  child.kill(second);
  expect((await answer).status).toBe(200);
  expect(await stop()).toBe(0);
});
