/** Requests that are given up in the middle: what is finished is the answer. */
import { afterEach, describe, expect, test } from 'vitest';
import { ask, closeAll, dial, image, pack, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

const body = { items: [image(1), image(2), image(3)] };

/** A service whose second image takes for ever, and that hands over the others when its signal aborts. */
async function half(flags: object = {}): Promise<Rig> {
  const rig = await start(flags);
  const whole = rig.service.score;
  rig.service.score = async (request) => {
    const results = await whole(request);
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve, { once: true }));
    const { code, message } = request.signal.reason;
    results[1] = { ...results[1]!, aspects: null, reward: null, decision: null, error: { code, message } };
    return results;
  };
  return rig;
}

const codes = (results: { error: { code: string } | null }[]) => results.map(({ error }) => error?.code);

describe('past the deadline', () => {
  const limits = { limits: { requestTimeoutMs: 80 } };

  test('over HTTP', async () => {
    const reply = await pack(await half(limits), '/v1/score', body);
    expect(reply.status).toBe(200);
    expect(codes(reply.body.results)).toEqual([undefined, 'DEADLINE', undefined]);
  });

  test('over the websocket', async () => {
    const peer = await dial(await half(limits));
    peer.send({ id: 1, op: 'score', ...body });
    const answer = await peer.answer(1);
    expect([answer.ok, codes(answer.results)]).toEqual([true, [undefined, 'DEADLINE', undefined]]);
  });

  test('a rank has the finished ones in order, the others last', async () => {
    const reply = await pack(await half(limits), '/v1/rank', body);
    expect(reply.body).toMatchObject({ order: [2, 0, 1], best: 2 });
  });

  test('with nothing finished it is an error as a whole', async () => {
    const rig = await start(limits);
    rig.service.hold = new Promise(() => {});
    const nothing = await pack(rig, '/v1/score', body);
    expect([nothing.status, nothing.body.error.code]).toEqual([503, 'DEADLINE']);
  });
});

test('a drain that is overdue answers with what is finished', async () => {
  const rig = await half();
  const reply = pack(rig, '/v1/score', body);
  await until('it runs', () => rig.service.requests.length === 1);
  await rig.server.close({ drainTimeoutMs: 30 });
  expect(codes((await reply).body.results)).toEqual([undefined, 'DRAINING', undefined]);
});

test('a cancelled request has no results, finished or not', async () => {
  const rig = await half();
  const peer = await dial(rig);
  peer.send({ id: 1, op: 'score', ...body });
  await until('it runs', () => rig.service.requests.length === 1);
  peer.send({ id: 2, op: 'cancel', target: 1 });
  expect(await peer.answer(1)).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
  expect((await ask(rig, '/healthz')).status).toBe(200);
});
