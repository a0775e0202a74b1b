import { afterEach, expect, test } from 'vitest';
import { ask, closeAll, dial, pack, type Reply, start, until } from './harness.ts';

afterEach(closeAll);

const CLIENTS = 32;
const IMAGES = 64;
const side = 8;
const pixels = (byte: number) => ({
  image: { format: 'rgb8', width: side, height: side, data: new Uint8Array(side * side * 3).fill(byte) },
});
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('32 websockets with 64 images each in flight: all are answered right', async () => {
  const rig = await start();
  const clients = await Promise.all(range(CLIENTS).map(() => dial(rig, { protocol: 'assay.v1.msgpack' })));
  for (const [c, client] of clients.entries())
    for (const i of range(IMAGES)) client.send({ id: i, op: 'score', items: [pixels((c * 7 + i) % 256)] });
  await until('all answers', () => clients.every((client) => client.inbox.length === IMAGES), 20_000);
  for (const [c, client] of clients.entries()) {
    for (const { id, ok, results } of client.inbox) {
      expect([ok, results[0].error]).toEqual([true, null]);
      expect(Math.round(results[0].reward * 255)).toBe((c * 7 + id) % 256);
    }
  }
});

test('32 posts of 64 images at once: all are answered right', async () => {
  const rig = await start();
  const replies = await Promise.all(
    range(CLIENTS).map((c) => pack(rig, '/v1/score', { items: range(IMAGES).map((i) => pixels(c + i)) })),
  );
  for (const [c, { status, body }] of replies.entries()) {
    expect(status).toBe(200);
    expect(body.results.map((r: { reward: number }) => Math.round(r.reward * 255))).toEqual(
      range(IMAGES).map((i) => c + i),
    );
  }
});

test('a websocket is not read while it has a window of unanswered work', async () => {
  // Longer than it takes this process to send all messages, during which nobody is heard.
  const maxSilenceMs = 500;
  const rig = await start({}, { windowBytes: 2 ** 20, windowItems: 1000, heartbeatMs: 50, maxSilenceMs });
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  const peer = await dial(rig, { protocol: 'assay.v1.msgpack' });
  const messages = 60;
  for (const id of range(messages))
    peer.send({ id, op: 'score', items: [{ image: new Uint8Array(2 ** 18) }] });
  await until('the window is full', () => rig.service.requests.length >= 4);
  // round trips of another connection: many turns of the server's loop, and silence that would be too long
  const end = performance.now() + 2 * maxSilenceMs;
  while (performance.now() < end) await ask(rig, '/healthz');
  expect(rig.service.requests.length).toBeLessThan(6);
  expect(peer.ws.readyState).toBe(peer.ws.OPEN);
  resolve();
  await until('all answers', () => peer.inbox.length === messages);
  expect(peer.inbox.every((m) => m.ok)).toBe(true);
});

test('the number of images counts, too', async () => {
  const rig = await start({}, { windowItems: 3 });
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  const peer = await dial(rig, { protocol: 'assay.v1.msgpack' });
  for (const id of range(40)) peer.send({ id, op: 'score', items: [{ image: new Uint8Array(70_000) }] });
  await until('the window is full', () => rig.service.requests.length >= 3);
  for (const _ of range(50)) await ask(rig, '/healthz');
  expect(rig.service.requests.length).toBeLessThan(6);
  resolve();
  await until('all answers', () => peer.inbox.length === 40);
});

test('posts wait in their sockets while the byte budget is used up', async () => {
  const rig = await start({ limits: { maxBodyBytes: 2 ** 20 } });
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  const posts: Promise<Reply>[] = range(8).map((i) =>
    pack(rig, '/v1/score', { items: [{ image: new Uint8Array(900_000).fill(i) }] }),
  );
  const leaver = new AbortController();
  const headers = { 'content-type': 'application/json', 'content-length': '900000' };
  const gone = ask(rig, '/v1/score', {
    method: 'POST',
    headers,
    body: 'x'.repeat(900_000),
    signal: leaver.signal,
  });
  await until('one is at work', () => rig.service.requests.length === 1);
  for (const _ of range(50)) await ask(rig, '/healthz');
  expect(rig.service.requests).toHaveLength(1);
  leaver.abort(); // one that gives up does not hold up the queue
  await expect(gone).rejects.toThrow();
  resolve();
  expect((await Promise.all(posts)).map((reply) => reply.status)).toEqual(range(8).map(() => 200));
});
