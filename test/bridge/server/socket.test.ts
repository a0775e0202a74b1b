import { afterEach, describe, expect, test } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import { ask, closeAll, dial, dialRefused, image, start, until } from './harness.ts';

afterEach(closeAll);

const never = (): Promise<void> => new Promise(() => {});

describe('subprotocols', () => {
  test.each([
    ['', 'assay.v1.json is spoken'],
    ['assay.v1.json', 'text'],
    ['assay.v1.msgpack', 'binary'],
  ])('%j', async (protocol) => {
    const rig = await start();
    const peer = await dial(rig, { protocol });
    expect(peer.ws.protocol).toBe(protocol);
    const pixels = protocol.endsWith('msgpack') ? { image: new Uint8Array([51]) } : image(51);
    peer.send({ id: 7, op: 'score', scorer: 'fake', prompt: 'p', items: [{ id: 'a', ...pixels }] });
    const answer = await peer.answer(7);
    expect(answer).toMatchObject({
      id: 7,
      ok: true,
      results: [{ id: 'a', prompt: 'p', reward: 0.2, error: null }],
    });
    expect(rig.service.requests[0]!.scorer).toBe('fake');
  });

  test('an unknown one is refused', async () => {
    const reply = await dialRefused(await start(), { protocol: 'assay.v9' });
    expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
  });

  test('a websocket elsewhere is 404', async () => {
    expect((await dialRefused(await start(), {}, '/ws')).body.error.code).toBe('NOT_FOUND');
  });
});

describe('operations', () => {
  test('rank', async () => {
    const peer = await dial(await start());
    peer.send({ id: 'r', op: 'rank', items: [image(1), image(9)] });
    expect(await peer.answer('r')).toMatchObject({ ok: true, order: [1, 0], best: 1 });
  });

  test('a bad image fails alone', async () => {
    const peer = await dial(await start());
    peer.send({ id: 1, op: 'score', items: [{ image: '!' }, image(1)] });
    const { results } = await peer.answer(1);
    expect(results.map((r: { error: unknown }) => r.error)).toMatchObject([{ code: 'IMAGE_ENCODING' }, null]);
  });

  test.each(['assay.v1.json', 'assay.v1.msgpack'])(
    'an item with too long a source fails alone: %s',
    async (protocol) => {
      const peer = await dial(await start(), { protocol });
      const pixels = protocol.endsWith('msgpack') ? { image: new Uint8Array([51]) } : image(51);
      const items = [
        { ...pixels, source: 'x'.repeat(5000) },
        { ...pixels, prompt: 'b '.repeat(60_000) },
      ];
      peer.send({ id: 1, op: 'score', items });
      const { results } = await peer.answer(1);
      expect(results).toMatchObject([{ error: { code: 'BAD_REQUEST' } }, { reward: 0.2, error: null }]);
    },
  );

  test('answers come as they are ready, not in order', async () => {
    const rig = await start();
    const peer = await dial(rig);
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.service.hold = promise;
    peer.send({ id: 'slow', op: 'score', items: [image(1)] });
    await until('slow is at work', () => rig.service.requests.length === 1);
    rig.service.hold = null;
    peer.send({ id: 'quick', op: 'score', items: [image(2)] });
    expect((await peer.next('any answer')).id).toBe('quick');
    resolve();
    expect((await peer.next('any answer')).id).toBe('slow');
  });

  test('cancel answers both, and aborts the work', async () => {
    const rig = await start();
    rig.service.hold = never();
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    peer.send({ id: 2, op: 'cancel', target: 1 });
    peer.send({ id: 3, op: 'cancel', target: 'nobody' });
    expect(await peer.answer(1)).toMatchObject({ ok: false, error: { code: 'CANCELLED' } });
    expect(await peer.answer(2)).toEqual({ id: 2, ok: true, cancelled: true });
    expect(await peer.answer(3)).toEqual({ id: 3, ok: true, cancelled: false });
    expect(rig.service.requests[0]!.signal.aborted).toBe(true);
  });

  test('an id in flight is DUPLICATE_ID, an answered one is free again', async () => {
    const rig = await start();
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.service.hold = promise;
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    peer.send({ id: 1, op: 'score', items: [image(2)] });
    expect(await peer.answer(1)).toMatchObject({ ok: false, error: { code: 'DUPLICATE_ID' } });
    resolve();
    expect(await peer.answer(1)).toMatchObject({ ok: true });
    peer.send({ id: 1, op: 'score', items: [image(3)] });
    expect(await peer.answer(1)).toMatchObject({ ok: true });
  });

  test('a refusal of the service says when to come back', async () => {
    const rig = await start();
    rig.service.error = fail('BUSY', { waiting: 5 }, { retryAfterMs: 700 });
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    const answer = await peer.answer(1);
    expect(answer.error).toEqual({
      code: 'BUSY',
      message: expect.any(String),
      fix: expect.any(String),
      retryAfterMs: 700,
    });
  });

  test('a request past its deadline is DEADLINE', async () => {
    const rig = await start({ limits: { requestTimeoutMs: 40 } });
    rig.service.hold = never();
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    expect((await peer.answer(1)).error.code).toBe('DEADLINE');
  });

  test('logs one line a request, with the client of the upgrade', async () => {
    const rig = await start();
    const peer = await dial(rig, { headers: { 'x-assay-client': 'comfyui' } });
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    await peer.answer(1);
    await until('the line', () => rig.lines.length > 0);
    expect(rig.lines).toMatchObject([
      { level: 'info', route: 'ws score', status: 'ok', items: 1, client: 'comfyui' },
    ]);
    expect(rig.service.requests[0]!.client).toBe('comfyui');
  });
});

describe('messages that do not fit', () => {
  test.each([
    ['{', null, 'MALFORMED_BODY', 'JSON'],
    [Buffer.from('{}'), null, 'MALFORMED_BODY', 'binary frame'],
    ['[]', null, 'BAD_REQUEST', 'object with id and op'],
    ['null', null, 'BAD_REQUEST', 'object with id and op'],
    ['{"op":"ping"}', null, 'BAD_REQUEST', 'id'],
    ['{"id":{},"op":"ping"}', null, 'BAD_REQUEST', 'id'],
    ['{"id":5}', 5, 'BAD_REQUEST', 'op: expected one of score'],
    ['{"id":5,"op":"scor"}', 5, 'UNKNOWN_OP', 'did you mean "score"?'],
    ['{"id":5,"op":"__proto__"}', 5, 'UNKNOWN_OP', 'known are score'],
    ['{"id":5,"op":"ping","x":1}', 5, 'BAD_REQUEST', 'unknown field "x"'],
    ['{"id":"q","op":"score","itms":[]}', 'q', 'BAD_REQUEST', 'did you mean "items"?'],
    ['{"id":"q","op":"score","items":[{},{},{}]}', 'q', 'BAD_REQUEST', 'the limit is 2'],
    ['{"id":5,"op":"cancel"}', 5, 'BAD_REQUEST', 'target'],
  ])('%s: id %j, %s', async (text, id, code, reason) => {
    const peer = await dial(await start({ limits: { maxItems: 2 } }));
    peer.send(text);
    const answer = await peer.next('the refusal');
    expect(answer).toMatchObject({
      id,
      ok: false,
      error: { code, message: expect.stringContaining(reason) },
    });
    peer.send({ id: 'after', op: 'ping' });
    expect((await peer.answer('after')).ok).toBe(true);
  });

  test.each([Buffer.from([0xc1]), Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), 'text'])(
    'msgpack %o: coded, and the connection stays',
    async (bytes) => {
      const peer = await dial(await start(), { protocol: 'assay.v1.msgpack' });
      peer.send(bytes);
      expect(await peer.next('the refusal')).toMatchObject({
        id: null,
        ok: false,
        error: { code: 'MALFORMED_BODY' },
      });
      peer.send({ id: 1, op: 'ping' });
      expect((await peer.answer(1)).ok).toBe(true);
    },
  );

  test('one that is too large is BODY_TOO_LARGE, then the connection closes with 1009', async () => {
    const rig = await start({ limits: { maxBodyBytes: 1000 } });
    const peer = await dial(rig, { protocol: 'assay.v1.msgpack' });
    peer.send(new Uint8Array(5_000_000));
    expect(await peer.next('the refusal')).toMatchObject({
      id: null,
      ok: false,
      error: { code: 'BODY_TOO_LARGE' },
    });
    expect((await peer.closed).code).toBe(1009);
  });
});

describe('connections', () => {
  test('one that closes aborts its requests', async () => {
    const rig = await start();
    rig.service.hold = never();
    const peer = await dial(rig);
    for (const id of [1, 2, 3]) peer.send({ id, op: 'score', items: [image(id)] });
    await until('the work begins', () => rig.service.requests.length === 3);
    peer.ws.terminate();
    await until('all is aborted', () => rig.service.requests.every((request) => request.signal.aborted));
    const other = await dial(rig);
    other.send({ id: 1, op: 'ping' });
    expect((await other.answer(1)).ok).toBe(true);
  });

  test('one that leaves while it is not read is noticed, too', async () => {
    const rig = await start({}, { windowItems: 1, heartbeatMs: 20 });
    rig.service.hold = never();
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'score', items: [image(1)] });
    await until('the work begins', () => rig.service.requests.length === 1);
    peer.ws.terminate();
    await until('it is aborted', () => rig.service.requests[0]!.signal.aborted);
  });

  test('a peer that answers no ping is dropped, one that does is kept', async () => {
    const rig = await start({}, { heartbeatMs: 20, maxSilenceMs: 100 });
    const quiet = await dial(rig, { autoPong: false });
    const live = await dial(rig);
    await quiet.closed;
    live.send({ id: 1, op: 'ping' });
    expect((await live.answer(1)).ok).toBe(true);
  });

  test('they are counted', async () => {
    const rig = await start();
    const count = async () => /assay_websockets (\d+)/.exec(String((await ask(rig, '/metrics')).body))![1];
    const peer = await dial(rig);
    expect(await count()).toBe('1');
    peer.ws.close();
    await until('it is gone', async () => (await count()) === '0');
  });
});
