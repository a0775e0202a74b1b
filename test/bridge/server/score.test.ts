import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { ask, b64, closeAll, image, pack, packr, post, type Reply, type Rig, start } from './harness.ts';

afterEach(closeAll);

const rewards = (reply: Reply): number[] =>
  reply.body.results.map((r: { reward: number }) => Math.round(r.reward * 255));
const ids = (reply: Reply): string[] => reply.body.results.map((r: { id: string }) => r.id);

describe('POST /v1/score', () => {
  test('answers JSON in request order, with the ids of the caller or the index', async () => {
    const rig = await start();
    const reply = await post(rig, '/v1/score', {
      prompt: 'a cat',
      scorer: 'fake',
      items: [
        { id: 'x', ...image(7) },
        { ...image(200), prompt: 'a dog', source: 'dog.png' },
        { ...image(3), prompt: null },
      ],
    });
    expect(reply.status).toBe(200);
    expect(ids(reply)).toEqual(['x', '1', '2']);
    expect(rewards(reply)).toEqual([7, 200, 3]);
    expect(reply.body.results.map((r: { prompt: string }) => r.prompt)).toEqual(['a cat', 'a dog', null]);
    expect(reply.body.results[1].source).toBe('dog.png');
    expect(rig.service.requests[0]).toMatchObject({ scorer: 'fake', policy: undefined });
  });

  test('hands the thresholds of a request on, and names a wrong one', async () => {
    const rig = await start();
    const policy = { aspects: { quality: { minPercentile: 0.3 } }, minReward: 0.4 };
    expect((await post(rig, '/v1/score', { policy, items: [image(7)] })).status).toBe(200);
    expect(rig.service.requests[0]!.policy).toEqual({ ...policy, unsureWithinInterval: false });
    const wrong = await post(rig, '/v1/score', { policy: { minReward: 4 }, items: [image(7)] });
    expect(wrong.body.error.message).toContain('policy.minReward');
  });

  const bytes = Buffer.from([251, 255, 190, 1]);
  test.each([
    ['base64', bytes.toString('base64')],
    ['base64 without padding', bytes.toString('base64').replace(/=+$/, '')],
    ['URL-safe base64', bytes.toString('base64url')],
    ['base64 in lines', `${bytes.toString('base64').slice(0, 3)}\r\n${bytes.toString('base64').slice(3)}\n`],
    ['a data: URL', `data:image/png;base64,${bytes.toString('base64')}`],
  ])('takes %s', async (_, text) => {
    const rig = await start();
    const reply = await post(rig, '/v1/score', { items: [{ image: text }] });
    const sent = await pack(rig, '/v1/score', { items: [{ image: bytes }] });
    expect(reply.body.results[0]).toMatchObject({ error: null, sha256: sent.body.results[0].sha256 });
  });

  test('takes raw pixels in JSON and in MessagePack', async () => {
    const rig = await start();
    const raw = { format: 'rgba8', width: 1, height: 1 };
    const a = await post(rig, '/v1/score', { items: [{ image: { ...raw, data: b64(9, 9, 9, 9) } }] });
    const b = await pack(rig, '/v1/score', {
      items: [{ image: { ...raw, data: new Uint8Array([9, 9, 9, 9]) } }],
    });
    expect(a.body.results[0]).toMatchObject({ error: null, width: 1, height: 1 });
    expect(b.body.results[0]).toEqual(a.body.results[0]);
  });

  test('hands MessagePack pixels on without a copy', async () => {
    const rig = await start();
    let shared = 0;
    const score = rig.service.score;
    rig.service.score = async (request) => {
      const input = await request.items[0]!.fetch(request.signal);
      shared = input.bytes.buffer.byteLength;
      return score({ ...request, items: [{ ...request.items[0]!, fetch: () => input }] });
    };
    const data = new Uint8Array(300_000).fill(5);
    const reply = await pack(rig, '/v1/score', {
      items: [{ image: { format: 'rgb8', width: 1000, height: 100, data } }],
    });
    expect(reply.body.results[0].error).toBeNull();
    expect(shared).toBeGreaterThan(data.length);
  });

  test('answers in the encoding that the client accepts', async () => {
    const rig = await start();
    const wire = packr.pack({ items: [{ image: new Uint8Array([1]) }] });
    const packed = await pack(rig, '/v1/score', wire);
    const plain = await pack(rig, '/v1/score', wire, { accept: '*/*' });
    expect(packed.headers['content-type']).toBe('application/msgpack');
    expect(plain.headers['content-type']).toBe('application/json');
    expect(packed.body).toEqual(plain.body);
  });

  test.each([
    ['bad base64', { image: 'a!b$' }, 'IMAGE_ENCODING', /base64.*"!" at 1/],
    ['base64 cut short', { image: 'AAAAA' }, 'IMAGE_ENCODING', /cut short/],
    ['a data: URL without base64', { image: 'data:text/plain,hi' }, 'IMAGE_ENCODING', /;base64,/],
    ['a URL', { image: 'https://example.com/cat.png' }, 'BAD_REQUEST', /never fetched/],
    [
      'a heavy image',
      { image: b64(...new Array(40).fill(1)) },
      'IMAGE_TOO_HEAVY',
      /40 bytes; the limit is 32/,
    ],
    [
      'raw pixels of the wrong size',
      { image: { format: 'rgb8', width: 2, height: 2, data: b64(1) } },
      'RAW_SIZE_MISMATCH',
      /raw rgb8/,
    ],
    ['a path', { path: '/etc/hostname' }, 'PATH_NOT_ALLOWED', /\/etc\/hostname/],
    ['a long path', { path: 'x'.repeat(5000) }, 'BAD_REQUEST', /items\[1\]\.path: .*4096/],
    ['a long source', { ...image(3), source: 'x'.repeat(5000) }, 'BAD_REQUEST', /items\[1\]\.source: .*4096/],
    [
      'a side without end',
      { image: { format: 'rgb8', width: 2_000_000, height: 1, data: '' } },
      'BAD_REQUEST',
      /items\[1\]\.image\.width: .*1000000/,
    ],
  ])('fails the item alone for %s', async (_, bad, code, message) => {
    const rig = await start({ limits: { maxImageBytes: 32 } });
    const reply = await post(rig, '/v1/score', { items: [image(1), bad, image(2)] });
    expect(reply.status).toBe(200);
    expect(reply.body.results[1]).toMatchObject({ id: '1', reward: null, aspects: null, error: { code } });
    expect(reply.body.results[1].error.message).toMatch(message);
    expect([reply.body.results[0].error, reply.body.results[2].error]).toEqual([null, null]);
  });

  test.each([
    [{ items: [{ imag: 'x' }] }, 'unknown field "items[0].imag"; did you mean "image"?'],
    [{ item: [] }, 'unknown field "item"; did you mean "items"?'],
    [
      { items: [image(1)], zzzzzzzz: 1 },
      'unknown field "zzzzzzzz"; known are scorer, prompt, policy, workflow, promptFromFile, items',
    ],
    [
      { items: [{ image: { format: 'rgb8', width: 1, heigth: 1, height: 1, data: '' } }] },
      'unknown field "items[0].image.heigth"; did you mean "height"?',
    ],
    [
      { items: [image(1)], policy: { aspects: { qualty: {} } } },
      'unknown field "policy.aspects.qualty"; did you mean "quality"?',
    ],
    [
      { items: [image(1)], policy: { aspects: { beauty: {} } } },
      'unknown field "policy.aspects.beauty"; known are quality, alignment, authenticity',
    ],
    [
      { items: [image(1)], policy: { aspects: JSON.parse('{"__proto__": {"minScore": 4}}') } },
      'unknown field "policy.aspects.__proto_', // MessagePack leaves one off
    ],
    [{ items: [image(1), { image: 4 }] }, 'items[1].image: expected string or binary or object'],
    [
      { items: [{ image: { format: 'bgr8', width: 1, height: 1, data: '' } }] },
      'items[0].image.format: expected one',
    ],
    [
      { items: [{ image: { format: 'rgb8', width: 0, height: 1, data: '' } }] },
      'items[0].image.width: expected',
    ],
    [{ items: [{}] }, 'items[0]: expected exactly one of image and path'],
    [{ items: [{ ...image(1), path: '/x' }] }, 'items[0]: expected exactly one of image and path'],
    [{ items: [{ ...image(1), prompt: 5 }] }, 'items[0].prompt: expected string'],
    [{ items: [{ ...image(1), id: 5 }] }, 'items[0].id: expected string, received number'],
    [{ items: [] }, 'items: expected array to have >=1 items'],
    [{ items: 'x' }, 'items: expected array, received string'],
    [{}, 'items: expected array, nothing came'],
    [[], 'the message: expected object, received array'],
    [null, 'the message: expected object, received null'],
    [{ items: [1, 2, 3, 4, 5].map(image) }, 'items: 5 came, the limit is 4 (limits.maxItems)'],
  ])('refuses %j and says where', async (body, reason) => {
    const rig = await start({ limits: { maxItems: 4 } });
    for (const reply of [await post(rig, '/v1/score', body), await pack(rig, '/v1/score', body)]) {
      expect(reply.status).toBe(400);
      expect(reply.body.error).toMatchObject({ code: 'BAD_REQUEST', fix: expect.any(String) });
      expect(reply.body.error.message).toContain(reason);
    }
    expect(rig.service.requests).toHaveLength(0);
  });
});

describe('bodies that are no messages', () => {
  const send = (rig: Rig, type: string, body: string | Uint8Array, more: Record<string, string> = {}) =>
    ask(rig, '/v1/score', { method: 'POST', headers: { 'content-type': type, ...more }, body });
  const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
  const bomb = Buffer.concat(new Array(40).fill(Buffer.from([0xdd, 0x01, 0xff, 0xff, 0xff])));

  test.each([
    ['application/json', '{"items":', 'JSON'],
    ['application/json', '', 'JSON'],
    ['application/json; charset=utf-8', Buffer.from([0xff, 0xfe, 0x7b]), 'JSON'],
    ['application/json', '['.repeat(200_000), 'JSON'],
    ['application/msgpack', Buffer.from([0xc1]), 'MessagePack'],
    ['application/msgpack', Buffer.alloc(0), 'MessagePack'],
    ['application/msgpack', Buffer.from([0x81, 0xa1]), 'cut short'],
    ['application/msgpack', Buffer.from([0xdf, 0xff, 0xff]), 'cut short'],
    ['application/msgpack', bomb, 'cut short'],
    ['application/msgpack', nested(100), 'nested deeper'],
    [
      'application/msgpack',
      Buffer.alloc(700_000, 0x90).fill(0xdd, 0, 1).fill(0, 1, 5),
      '699995 bytes follow',
    ],
    ['application/msgpack', Buffer.from([0xd6, 0xff, 0, 0, 0, 0]), 'type 0xd6 at byte 0'],
    ['application/msgpack', Buffer.from([0xd4, 0x72, 0x40]), 'type 0xd4 at byte 0'],
    ['application/msgpack', Buffer.from([0xc0, 0xc0]), '1 bytes follow'],
  ])('%s %o is MALFORMED_BODY', async (type, body, reason) => {
    const rig = await start();
    const reply = await send(rig, type, body);
    expect(reply.status).toBe(400);
    expect(reply.body.error).toMatchObject({
      code: 'MALFORMED_BODY',
      message: expect.stringContaining(reason),
    });
  });

  test.each([
    'text/plain',
    'application/octet-stream',
    'application/x-python-pickle',
    'image/png',
    'multipart/mixed',
  ])('%s is UNSUPPORTED_CONTENT_TYPE', async (type) => {
    const reply = await send(await start(), type, 'x');
    expect(reply.status).toBe(415);
    expect(reply.body.error).toMatchObject({ code: 'UNSUPPORTED_CONTENT_TYPE' });
    expect(reply.body.error.message).toContain(type);
  });

  test('a compressed body is refused, not inflated', async () => {
    const body = gzipSync(JSON.stringify({ items: [image(1)] }));
    const reply = await send(await start(), 'application/json', body, { 'content-encoding': 'gzip' });
    expect(reply.status).toBe(415);
  });

  test('a MessagePack map with a key __proto__ pollutes nothing', async () => {
    const body = Buffer.concat([
      Buffer.from([0x81, 0xa9]),
      Buffer.from('__proto__'),
      Buffer.from([0x81, 0xa1, 0x61, 1]),
    ]);
    const reply = await send(await start(), 'application/msgpack', body);
    expect(reply.status).toBe(400);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  test('undefined fields of a JavaScript client count as absent', async () => {
    const reply = await pack(await start(), '/v1/score', {
      scorer: undefined,
      items: [{ id: undefined, image: new Uint8Array([4]), prompt: undefined }],
    });
    expect(rewards(reply)).toEqual([4]);
  });
});

describe('POST /v1/rank', () => {
  test('answers results, order and best', async () => {
    const reply = await post(await start(), '/v1/rank', { prompt: 'a cat', items: [5, 200, 90].map(image) });
    expect(reply.status).toBe(200);
    expect(rewards(reply)).toEqual([5, 200, 90]);
    expect(reply.body).toMatchObject({ order: [1, 2, 0], best: 1 });
  });

  test('has no best when nothing has a reward', async () => {
    const reply = await post(await start(), '/v1/rank', { items: [{ image: '!' }] });
    expect(reply.body).toMatchObject({ order: [0], best: null });
  });
});

describe('a failure is never a score', () => {
  test('a number that is none fails its item, in both encodings', async () => {
    const rig = await start();
    rig.service.tweak = (r) => (r.id === '1' ? { ...r, reward: Number.NaN } : r);
    for (const send of [post, pack]) {
      const reply = await send(rig, '/v1/score', { items: [image(1), image(2)] });
      expect(reply.body.results[0].error).toBeNull();
      expect(reply.body.results[1]).toMatchObject({
        reward: null,
        aspects: null,
        error: { code: 'INTERNAL' },
      });
    }
  });

  test('a rank with such a number is an error', async () => {
    const rig = await start();
    rig.service.tweak = (r) => ({ ...r, reward: Number.NaN });
    expect((await post(rig, '/v1/rank', { items: [image(1)] })).status).toBe(500);
  });
});
