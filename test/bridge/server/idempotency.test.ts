/** Requests that are sent again with the key of the first: nothing is scored or recorded twice. */
import { afterEach, expect, test } from 'vitest';
import { closeAll, dial, until } from './harness.ts';
import { image, many, pack, type RealRig, startReal } from './real.ts';

afterEach(closeAll);

const key = (value: string) => ({ 'idempotency-key': value });
const recorded = async (rig: RealRig): Promise<number> =>
  (await rig.runtime.history({ limit: 100 })).entries.length;

test('an answer is given again, over HTTP and the websocket alike', async () => {
  const rig = await startReal({ resultCache: 0 });
  const body = many(3, '2');
  const first = await pack(rig, '/v1/score', body, 'rank-0', key('step-1'));
  const again = await pack(rig, '/v1/score', body, 'rank-0', key('step-1'));
  expect([again.status, again.body]).toEqual([200, first.body]);
  const peer = await dial(rig, { protocol: 'assay.v1.msgpack' });
  peer.send({ id: 1, op: 'score', idempotencyKey: 'step-1', ...body });
  expect((await peer.answer(1)).results).toEqual(first.body.results);
  expect([rig.judged.length, await recorded(rig)]).toEqual([3, 3]);
  await pack(rig, '/v1/score', body, 'rank-0');
  expect([rig.judged.length, await recorded(rig)]).toEqual([6, 6]);
});

test('while the first is in work, the second waits for it', async () => {
  const rig = await startReal({ resultCache: 0 });
  const release = rig.hold();
  const body = many(2, '2');
  const first = pack(rig, '/v1/score', body, 'a', key('k'));
  await until('it is in work', () => rig.judged.length === 2);
  const second = pack(rig, '/v1/score', body, 'a', key('k'));
  await pack(rig, '/v1/prompt', { image: Buffer.from('no image') }, 'a'); // the second has arrived by now
  release();
  expect((await second).body).toEqual((await first).body);
  expect([rig.judged.length, await recorded(rig)]).toEqual([2, 2]);
});

test('what failed for a while is scored again, and only that', async () => {
  const rig = await startReal({ resultCache: 0 });
  const body = { items: [image('2'), image('fail')] };
  const codes = async () =>
    (await pack(rig, '/v1/score', body, 'a', key('k'))).body.results.map(
      (r: { error: { code: string } | null }) => r.error?.code,
    );
  expect(await codes()).toEqual([undefined, 'INFERENCE_FAILED']);
  expect(await codes()).toEqual([undefined, 'INFERENCE_FAILED']);
  expect(rig.judged).toEqual(['2', 'fail', 'fail']);
});

test('what was given up half way is finished, and recorded once', async () => {
  const rig = await startReal({ resultCache: 0 });
  const body = many(2, '2');
  const gone = new AbortController();
  rig.hold();
  const first = pack(rig, '/v1/score', body, 'a', key('k'), gone.signal);
  await until('it is in work', () => rig.judged.length === 2);
  gone.abort();
  await expect(first).rejects.toThrow();
  rig.hold()();
  const again = await pack(rig, '/v1/score', body, 'a', key('k'));
  expect(again.body.results.map((r: { reward: number }) => r.reward)).toEqual([0.4, 0.4]);
  expect(await recorded(rig)).toBe(2);
});

test('the history keeps what is known of a key beyond the daemon that gave the answer', async () => {
  const [one, two] = [await startReal(), undefined as RealRig | undefined];
  const body = many(2, '2');
  await pack(one, '/v1/score', body, 'a', key('k'));
  expect(await recorded(one)).toBe(2);
  await one.server.close({ drainTimeoutMs: 0 });
  await one.runtime.close();
  const next = two ?? (await startReal({ dataDir: one.runtime.config.dataDir }));
  await pack(next, '/v1/score', body, 'a', key('k'));
  await pack(next, '/v1/score', many(1, '2'), 'a', key('other'));
  expect(await recorded(next)).toBe(3);
});

test.each([
  ['another image', () => [image('2')], 'another image in items[0]'],
  ['another number of images', () => many(2, '2').items, '1 images, and now 2'],
  [
    'another prompt',
    (item: object) => [{ ...item, prompt: '3' }],
    'another id, prompt, group or source in items[0]',
  ],
])('a key that comes with %s is refused', async (_, next, words) => {
  const rig = await startReal();
  const item = image('2');
  await pack(rig, '/v1/score', { items: [item] }, 'a', key('k'));
  const reply = await pack(rig, '/v1/score', { items: next(item) }, 'a', key('k'));
  expect([reply.status, reply.body.error.code]).toEqual([409, 'KEY_REUSED']);
  expect(reply.body.error.message).toContain(words);
});

test('a key in the header and another one in the message are refused, and nothing is scored', async () => {
  const rig = await startReal();
  const ask = (idempotencyKey: string) =>
    pack(rig, '/v1/score', { ...many(1), idempotencyKey }, 'a', key('k'));
  const reply = await ask('other');
  expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
  expect(reply.body.error.message).toContain('Idempotency-Key');
  expect((await ask('k')).status).toBe(200);
});

test('a key that is no key is refused', async () => {
  const rig = await startReal();
  const reply = await pack(rig, '/v1/score', many(1), 'a', key('k'.repeat(300)));
  expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
  expect(reply.body.error.message).toContain('Idempotency-Key');
});
