/** Control messages while a websocket has more in work than it may: they are heard at once. */
import { afterEach, describe, expect, test } from 'vitest';
import { ask, closeAll, dial, type Peer, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

async function busy(
  requests: object[],
  tuning: object = {},
): Promise<{ rig: Rig; peer: Peer; release: () => void }> {
  const rig = await start({}, tuning);
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  const peer = await dial(rig, { protocol: 'assay.v1.msgpack' });
  for (const request of requests) peer.send(request);
  await until('the work begins', () => rig.service.requests.length > 0);
  return { rig, peer, release: resolve };
}

const score = (id: number | string, items: number, bytes: number) => ({
  id,
  op: 'score',
  items: range(items).map(() => ({ image: new Uint8Array(bytes) })),
});
const ponged = (peer: Peer) => new Promise<void>((resolve) => peer.ws.once('pong', () => resolve()));

describe.each([
  ['a request of 256 images', [score('a', 256, 1000)], {}],
  ['a large request', [score('a', 10, 2 ** 20)], {}],
  ['large requests, of which the second waits', [score('a', 10, 2 ** 20), score('b', 10, 2 ** 20)], {}],
  ['2000 small requests', range(2000).map((i) => score(i === 0 ? 'a' : i, 1, 10)), {}],
  ['a window of one', range(30).map((i) => score(i === 0 ? 'a' : i, 1, 10)), { windowItems: 1 }],
])('behind %s', (_, requests, tuning) => {
  test('cancel, ping and the protocol ping are answered', async () => {
    const { peer } = await busy(requests, tuning);
    const pong = ponged(peer);
    peer.ws.ping();
    await pong;
    peer.send({ id: 'p', op: 'ping' });
    expect(await peer.answer('p')).toEqual({ id: 'p', ok: true });
    peer.send({ id: 'c', op: 'cancel', target: 'a' });
    expect(await peer.answer('a')).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
    expect(await peer.answer('c')).toEqual({ id: 'c', ok: true, cancelled: true });
  });
});

test('what waits can be cancelled, and never begins', async () => {
  const { rig, peer, release } = await busy([score(1, 1, 10), score(2, 1, 10), score(3, 1, 10)], {
    windowItems: 1,
  });
  peer.send({ id: 'c', op: 'cancel', target: 2 });
  expect(await peer.answer(2)).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
  release();
  expect((await peer.answer(3)).ok).toBe(true);
  expect(rig.service.requests).toHaveLength(2);
});

test('requests that wait begin in their order', async () => {
  const { rig, peer, release } = await busy(
    range(30).map((i) => score(i, 1, i)),
    { windowItems: 2 },
  );
  expect(rig.service.requests).toHaveLength(2);
  release();
  await until('all', () => peer.inbox.length === 30);
  expect(peer.inbox.map((m) => m.id)).toEqual(range(30));
});

test('an id that waits is taken', async () => {
  const { peer } = await busy([score(1, 1, 10), score(2, 1, 10), score(2, 1, 10)], { windowItems: 1 });
  expect(await peer.answer(2)).toMatchObject({ ok: false, error: { code: 'DUPLICATE_ID' } });
});

test('what waits is bounded: a further large message is not read on', async () => {
  const { rig, peer } = await busy(
    range(100).map((i) => score(i, 1, 2 ** 20)),
    { heartbeatMs: 50 },
  );
  const held = async () =>
    Number(/^assay_request_bytes (\S+)$/m.exec(String((await ask(rig, '/metrics')).body))![1]);
  await until('it stops', async () => {
    const before = await held();
    for (const _ of range(30)) await ask(rig, '/healthz');
    return before > 2 ** 24 && before === (await held());
  });
  expect(await held()).toBeLessThan(2 ** 24 + 3 * 2 ** 20);
  peer.ws.terminate();
  await until('all is given back', async () => (await held()) === 0);
});

test('a peer that takes no answers is not read for ever, and dropped after a while', async () => {
  const rig = await start({}, { windowBytes: 2 ** 16, heartbeatMs: 30, maxSilenceMs: 300 });
  const peer = await dial(rig);
  peer.ws.pause();
  const padding = 'x'.repeat(250);
  for (const i of range(60_000)) peer.ws.send(`{"id":"${padding}${i}","op":"ping"}`);
  const sockets = async () => /assay_websockets (\d+)/.exec(String((await ask(rig, '/metrics')).body))![1];
  await until('it is gone', async () => (await sockets()) === '0', 20_000);
});

test('names of every object are no subprotocols, in no way a crash', async () => {
  const rig = await start();
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    await expect(dial(rig, { protocol: name })).rejects.toThrow('400');
    const beside = await dial(rig, { protocol: 'assay.v1.json' });
    beside.send(JSON.stringify({ id: name, op: name }));
    expect(await beside.answer(name)).toMatchObject({ ok: false, error: { code: 'UNKNOWN_OP' } });
  }
});
