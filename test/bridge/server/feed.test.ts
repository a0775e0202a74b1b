import { afterEach, expect, test } from 'vitest';
import { resultOf } from './fake-service.ts';
import { ask, closeAll, dial, image, type Peer, post, start, until } from './harness.ts';

afterEach(closeAll);

async function subscribe(peer: Peer): Promise<void> {
  peer.send({ id: 'sub', op: 'subscribe' });
  expect(await peer.answer('sub')).toEqual({ id: 'sub', ok: true });
}

test.each(['assay.v1.json', 'assay.v1.msgpack'])(
  '%s: every finished result is pushed, with its client',
  async (protocol) => {
    const rig = await start();
    const peer = await dial(rig, { protocol });
    await subscribe(peer);
    await subscribe(peer); // asking twice does not double the events
    await post(rig, '/v1/score', { items: [image(51), image(102)] }, { 'x-assay-client': 'trainer' });
    await until('two events', () => peer.inbox.length === 2);
    expect(peer.inbox).toMatchObject([
      { event: 'result', client: 'trainer', result: { id: '0', reward: 0.2 } },
      { event: 'result', client: 'trainer', result: { id: '1', reward: 0.4 } },
    ]);
  },
);

test('a closed subscriber is forgotten', async () => {
  const rig = await start();
  const peer = await dial(rig);
  await subscribe(peer);
  expect(rig.service.subscribers).toBe(1);
  peer.ws.terminate();
  await until('it is forgotten', () => rig.service.subscribers === 0);
});

test('a slow subscriber loses events and is told how many; scoring and others go on', async () => {
  const rig = await start({}, { feedBytes: 100_000 });
  const [slow, quick] = [await dial(rig), await dial(rig)];
  await subscribe(slow);
  await subscribe(quick);
  slow.ws.pause();
  const events = 300;
  const big = { ...resultOf('big', 0.5), prompt: 'x'.repeat(50_000) };
  for (let i = 0; i < events; i++) {
    rig.service.publish(big, 'c');
    await until('the quick one has it', () => quick.inbox.length === i + 1);
  }
  expect((await post(rig, '/v1/score', { items: [image(1)] })).status).toBe(200);
  const lostSoFar = async () =>
    Number(/assay_feed_events_lost_total (\d+)/.exec(String((await ask(rig, '/metrics')).body))![1]);
  const lost = await lostSoFar();
  expect(lost).toBeGreaterThan(0);

  slow.ws.resume();
  const told = () => slow.inbox.filter((m) => m.event === 'lost').reduce((sum, m) => sum + m.count, 0);
  const got = () => slow.inbox.filter((m) => m.event === 'result').length;
  await until('it has heard of all', () => told() === lost);
  await until('the rest came', () => got() + told() === events + 1);
  expect(quick.inbox.every((m) => m.event === 'result')).toBe(true);
});
