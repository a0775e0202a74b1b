import { afterEach, describe, expect, test } from 'vitest';
import { ask, closeAll, form, type Reply, start } from './harness.ts';

afterEach(closeAll);

const file = (byte: number): Blob => new Blob([new Uint8Array([byte])], { type: 'image/png' });

/** Files as `[field, file name, first byte]`, and the request part. */
function parts(files: [string, string, number][], request?: unknown): FormData {
  const data = new FormData();
  if (request !== undefined)
    data.append('request', typeof request === 'string' ? request : JSON.stringify(request));
  for (const [field, name, byte] of files) data.append(field, file(byte), name);
  return data;
}

const summary = (reply: Reply) =>
  reply.body.results.map((r: { id: string; source: string; reward: number; prompt: string | null }) => [
    r.id,
    r.source,
    Math.round(r.reward * 255),
    r.prompt,
  ]);

describe('multipart', () => {
  test('files alone are scored in order, named for themselves', async () => {
    const rig = await start();
    const reply = await form(
      rig,
      '/v1/score',
      parts([
        ['images', 'a.png', 1],
        ['images', 'b ü.png', 2],
      ]),
    );
    expect(reply.status).toBe(200);
    expect(summary(reply)).toEqual([
      ['0', 'a.png', 1, null],
      ['1', 'b ü.png', 2, null],
    ]);
  });

  test('what is too long in an entry fails its file alone', async () => {
    const request = { items: [{ id: 'x'.repeat(300) }, { source: 'y'.repeat(5000) }] };
    const files: [string, string, number][] = [1, 2, 3].map((byte) => ['f', `${byte}.png`, byte]);
    const reply = await form(await start(), '/v1/score', parts(files, request));
    expect(reply.status).toBe(200);
    const codes = reply.body.results.map((r: { error: { code: string } | null }) => r.error?.code);
    expect(codes).toEqual(['BAD_REQUEST', 'BAD_REQUEST', undefined]);
    expect(reply.body.results[0].id).toBe('x'.repeat(256));
  });

  test('entries without a file name go with the files in order; the rest get defaults', async () => {
    const rig = await start();
    const request = { scorer: 'fake', prompt: 'all', items: [{ id: 'first', prompt: 'one' }] };
    const reply = await form(
      rig,
      '/v1/score',
      parts(
        [
          ['f', 'a', 1],
          ['f', 'b', 2],
        ],
        request,
      ),
    );
    expect(summary(reply)).toEqual([
      ['first', 'a', 1, 'one'],
      ['1', 'b', 2, 'all'],
    ]);
    expect(rig.service.requests[0]!.scorer).toBe('fake');
  });

  test('entries that name a file or field set the order', async () => {
    const request = {
      items: [{ id: 'B', file: 'b' }, { id: 'next' }, { id: 'F', file: 'field', source: 'here' }],
    };
    const files: [string, string, number][] = [
      ['x', 'a', 1],
      ['x', 'b', 2],
      ['field', 'c', 3],
    ];
    const reply = await form(await start(), '/v1/score', parts(files, request));
    expect(summary(reply)).toEqual([
      ['B', 'b', 2, null],
      ['next', 'a', 1, null],
      ['F', 'here', 3, null],
    ]);
  });

  test('the request part may be a file, as curl sends it', async () => {
    const data = parts([['f', 'a', 1]]);
    data.append('request', new Blob(['{"prompt":"p"}'], { type: 'application/json' }), 'request.json');
    expect(summary(await form(await start(), '/v1/score', data))).toEqual([['0', 'a', 1, 'p']]);
  });

  test('prompt and scorer may be text parts, beside a request or alone', async () => {
    const rig = await start();
    const alone = parts([['image', 'a', 1]]);
    alone.append('prompt', 'a lake, “still” = calm');
    alone.append('scorer', 'fake');
    expect(summary(await form(rig, '/v1/score', alone))).toEqual([['0', 'a', 1, 'a lake, “still” = calm']]);
    expect(rig.service.requests[0]!.scorer).toBe('fake');
    const beside = parts([['image', 'a', 1]], { items: [{ id: 'first' }] });
    beside.append('prompt', 'a lake');
    expect(summary(await form(rig, '/v1/score', beside))).toEqual([['first', 'a', 1, 'a lake']]);
  });

  test.each([
    ['the same text twice', undefined, ['prompt', 'prompt'], '"prompt" came more than once'],
    ['a field that comes both ways', { prompt: 'p' }, ['prompt'], '"prompt" came as a text part and in'],
    ['a text beside a request that is no object', '3', ['scorer'], 'request: expected object'],
  ])('refuses %s', async (_, request, names, reason) => {
    const data = parts([['f', 'a', 1]], request);
    for (const name of names) data.append(name, 'x');
    const reply = await form(await start(), '/v1/score', data);
    expect([reply.status, reply.body.error]).toEqual([
      400,
      expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringContaining(reason) }),
    ]);
  });

  test('ranks, too', async () => {
    const reply = await form(
      await start(),
      '/v1/rank',
      parts([
        ['f', 'a', 1],
        ['f', 'b', 9],
      ]),
    );
    expect(reply.body).toMatchObject({ order: [1, 0], best: 1 });
  });

  test('an empty file is an item of its own', async () => {
    const data = parts([['f', 'a', 1]]);
    data.append('f', new Blob([]), 'empty.png');
    expect((await form(await start(), '/v1/score', data)).body.results).toHaveLength(2);
  });

  test.each([
    ['no file', parts([], { prompt: 'p' }), 'BAD_REQUEST', 'no file came'],
    [
      'too many files',
      parts(Array.from({ length: 4 }, (_, i) => ['f', `${i}`, i])),
      'BAD_REQUEST',
      'the limit is 3',
    ],
    [
      'far too many files',
      parts(Array.from({ length: 9 }, (_, i) => ['f', `${i}`, i])),
      'BAD_REQUEST',
      'limit is 3',
    ],
    [
      'an entry too many',
      parts([['f', 'a', 1]], { items: [{}, {}] }),
      'BAD_REQUEST',
      'request.items[1]: no file part',
    ],
    [
      'a file that is not there',
      parts([['f', 'cat.png', 1]], { items: [{ file: 'cat.pgn' }] }),
      'BAD_REQUEST',
      'no unused file part "cat.pgn"; did you mean "cat.png"?',
    ],
    [
      'an unknown field',
      parts([['f', 'a', 1]], { items: [{ promt: 'x' }] }),
      'BAD_REQUEST',
      'unknown field "request.items[0].promt"; did you mean "prompt"?',
    ],
    ['a request that is no JSON', parts([['f', 'a', 1]], '{'), 'MALFORMED_BODY', 'JSON'],
    ['a request that is no object', parts([['f', 'a', 1]], '3'), 'BAD_REQUEST', 'request: expected object'],
  ])('refuses %s', async (_, data, code, reason) => {
    const reply = await form(await start({ limits: { maxItems: 3 } }), '/v1/score', data);
    expect(reply.status).toBe(400);
    expect(reply.body.error).toMatchObject({ code, message: expect.stringContaining(reason) });
  });

  test('refuses other text parts, one or several', async () => {
    const one = parts([['f', 'a', 1]]);
    one.append('seed', '1');
    const reply = await form(await start(), '/v1/score', one);
    expect(reply.body.error.message).toContain('unknown text part "seed"; known are request, ');
    for (const name of ['steps', 'cfg', 'model', 'size']) one.append(name, '1');
    expect((await form(await start(), '/v1/score', one)).body.error.code).toBe('BAD_REQUEST');
  });

  test.each([
    ['no boundary', 'multipart/form-data', 'x'],
    [
      'a body that is cut short',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="f"',
    ],
    ['no parts at all', 'multipart/form-data; boundary=b', ''],
  ])('refuses %s with 400', async (_, type, body) => {
    const reply = await ask(await start(), '/v1/score', {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    expect(reply.status).toBe(400);
    expect(['MALFORMED_BODY', 'BAD_REQUEST']).toContain(reply.body.error.code);
  });

  test('a heavy file fails alone; a heavy body fails as a whole', async () => {
    const rig = await start({ limits: { maxImageBytes: 10, maxBodyBytes: 100_000 } });
    const data = parts([['f', 'a', 1]]);
    data.append('f', new Blob([new Uint8Array(11)]), 'b');
    const reply = await form(rig, '/v1/score', data);
    expect(reply.body.results.map((r: { error: { code: string } | null }) => r.error?.code)).toEqual([
      undefined,
      'IMAGE_TOO_HEAVY',
    ]);
    data.append('f', new Blob([new Uint8Array(100_000)]), 'c');
    expect((await form(rig, '/v1/score', data)).status).toBe(413);
  });
});
