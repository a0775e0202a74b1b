import { afterEach, expect, test } from 'vitest';
import { ask, closeAll, dial, dialRefused, image, post, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

async function busyRig(): Promise<{ rig: Rig; release: () => void }> {
  const rig = await start();
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  return { rig, release: resolve };
}

test('a draining server finishes what runs and refuses what comes', async () => {
  const { rig, release } = await busyRig();
  const peer = await dial(rig);
  peer.send({ id: 1, op: 'score', items: [image(51)] });
  const running = post(rig, '/v1/score', { items: [image(51)] });
  await until('both run', () => rig.service.requests.length === 2);

  let isClosed = false;
  const closing = rig.server.close({ drainTimeoutMs: 20_000 }).then(() => {
    isClosed = true;
  });
  const refused = await post(rig, '/v1/score', { items: [image(1)] });
  expect([refused.status, refused.body.error.code]).toEqual([503, 'DRAINING']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await ask(rig, '/readyz')).body).toMatchObject({ ready: false });
  expect((await ask(rig, '/healthz')).status).toBe(200);
  expect((await dialRefused(rig)).body.error.code).toBe('DRAINING');
  peer.send({ id: 2, op: 'score', items: [image(1)] });
  expect((await peer.answer(2)).error).toMatchObject({ code: 'DRAINING', retryAfterMs: expect.any(Number) });
  expect(isClosed).toBe(false);

  release();
  expect((await running).body.results[0].reward).toBe(0.2);
  expect((await peer.answer(1)).results[0].reward).toBe(0.2);
  expect((await peer.closed).code).toBe(1001);
  await closing;
  await expect(ask(rig, '/healthz')).rejects.toThrow(/ECONNREFUSED/);
});

test('what is overdue is answered DRAINING', async () => {
  const { rig } = await busyRig();
  const peer = await dial(rig);
  peer.send({ id: 1, op: 'score', items: [image(1)] });
  const running = post(rig, '/v1/score', { items: [image(1)] });
  await until('both run', () => rig.service.requests.length === 2);
  await rig.server.close({ drainTimeoutMs: 30 });
  expect((await running).body.error.code).toBe('DRAINING');
  expect((await peer.answer(1)).error.code).toBe('DRAINING');
  expect(rig.service.requests.every((request) => request.signal.aborted)).toBe(true);
});

test('idle connections do not hold it up, and closing twice is fine', async () => {
  const rig = await start();
  const agentless = await fetch(`${rig.server.url}/healthz`); // keeps its connection alive
  await agentless.text();
  const peer = await dial(rig);
  peer.ws.pause(); // never says goodbye
  await Promise.all([
    rig.server.close({ drainTimeoutMs: 20_000 }),
    rig.server.close({ drainTimeoutMs: 20_000 }),
  ]);
  await expect(ask(rig, '/healthz')).rejects.toThrow();
});
