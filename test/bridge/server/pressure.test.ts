/** A full queue: who waits, who is refused, who comes first, and what becomes of the work of those who left. */
import { afterEach, expect, test } from 'vitest';
import { ask, closeAll, dial, until } from './harness.ts';
import { image, many, pack, type RealRig, startReal } from './real.ts';

afterEach(closeAll);

/** Images inside at once. */
const WIDTH = 8;

/** With a queue that is full of the images of `first`. */
async function filled(
  limits: object,
  count = WIDTH + 4,
): Promise<{ rig: RealRig; release: () => void; first: Promise<unknown> }> {
  const rig = await startReal({ limits: { maxQueue: 4, ...limits } });
  const release = rig.hold();
  const first = pack(rig, '/v1/score', many(count), 'first');
  await until('the queue is full', () => rig.runtime.load().running + rig.runtime.load().waiting === count);
  return { rig, release, first };
}

test('a request waits for room, and is answered as if there had been some', async () => {
  const { rig, release, first } = await filled({ queueWaitMs: 20_000 });
  const second = pack(rig, '/v1/score', many(2, '3'), 'second');
  await until('it is held', () => rig.runtime.pressure().held === 1);
  const page = (await ask(rig, '/metrics')).body;
  expect(page).toContain('assay_queue_waiting 4');
  expect(page).toContain('assay_queue_held 1');
  expect(Number(/^assay_queue_oldest_seconds (\S+)/m.exec(page)![1])).toBeGreaterThan(0);
  release();
  const reply = await second;
  expect([reply.status, reply.body.results.map((r: { reward: number }) => r.reward)]).toEqual([
    200,
    [0.6, 0.6],
  ]);
  await first;
  expect(rig.runtime.pressure()).toMatchObject({ held: 0, oldestMs: 0 });
  const after = (await ask(rig, '/metrics')).body;
  expect(Number(/^assay_queue_service_seconds (\S+)/m.exec(after)![1])).toBeGreaterThan(0);
});

test('after its time it is refused, with the pause until the next try', async () => {
  const { rig, release, first } = await filled({ queueWaitMs: 50 });
  const reply = await pack(rig, '/v1/score', many(1), 'second');
  expect([reply.status, reply.body.error.code]).toEqual([503, 'BUSY']);
  expect(Number(reply.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  release();
  await first;
});

test('a client has a share of the queue, and beyond it is told so while others come in', async () => {
  const { rig, release, first } = await filled({ maxQueue: 100, maxQueuePerClient: 4, queueWaitMs: 50 });
  const [own, other] = [pack(rig, '/v1/score', many(1), 'first'), pack(rig, '/v1/score', many(3), 'other')];
  const refused = await own;
  expect([refused.status, refused.body.error.code]).toEqual([503, 'CLIENT_BUSY']);
  expect(refused.body.error.message).toBe('this client has 4 images waiting; its share of the queue is 4');
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  release();
  expect((await other).status).toBe(200);
  await first;
});

test('of those that wait before a full queue, the client with least in it comes first', async () => {
  const { rig, release, first } = await filled({ queueWaitMs: 20_000 });
  const more = pack(rig, '/v1/score', many(4, '2'), 'first');
  await until('it is held', () => rig.runtime.pressure().held === 1);
  const other = pack(rig, '/v1/score', many(4, '3'), 'other');
  await until('both are held', () => rig.runtime.pressure().held === 2);
  release();
  await Promise.all([first, more, other]);
  const order = rig.judged.slice(WIDTH + 4);
  expect(order.indexOf('3')).toBe(0);
});

test('work of a client that left is dropped: what is held, what waits, and what is in work', async () => {
  const { rig, release, first } = await filled({ queueWaitMs: 20_000 });
  const gone = new AbortController();
  const held = pack(rig, '/v1/score', many(3), 'gone', {}, gone.signal);
  const waiting = await dial(rig, { protocol: 'assay.v1.msgpack' });
  await until('it is held', () => rig.runtime.pressure().held === 1);
  waiting.send({ id: 1, op: 'score', ...many(1) });
  await until('both are held', () => rig.runtime.pressure().held === 2);
  gone.abort();
  waiting.ws.terminate();
  await expect(held).rejects.toThrow();
  await until('none is held', () => rig.runtime.pressure().held === 0);
  release();
  await first;
  expect(rig.judged).toHaveLength(WIDTH + 4);
  const next = await pack(rig, '/v1/score', { items: [image('5')] }, 'next');
  expect(next.body.results[0].reward).toBe(1);
  expect(rig.runtime.load()).toEqual({ waiting: 0, running: 0 });
});
