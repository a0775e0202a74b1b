import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import { ask, closeAll, form, image, pack, post, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

const never = (): Promise<void> => new Promise(() => {});

describe('body size', () => {
  const headers = (rig: Rig, more: string) =>
    `POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1:${rig.server.port}\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;

  /** What the server says to bare bytes before the request is whole. */
  const firstWords = (rig: Rig, text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(rig.server.port, rig.server.host, () => socket.write(text));
      socket.once('data', (data) => {
        socket.destroy();
        resolve(String(data));
      });
      socket.once('error', reject);
    });

  test('an announced body that is too large is refused before it comes', async () => {
    const rig = await start();
    const heard = await firstWords(rig, headers(rig, 'content-length: 99999999999'));
    expect(heard).toMatch(/^HTTP\/1\.1 413 .*BODY_TOO_LARGE/s);
  });

  test('a client that asks first is not told to continue', async () => {
    const rig = await start();
    const ask = 'content-length: 99999999999\r\nexpect: 100-continue';
    expect(await firstWords(rig, headers(rig, ask))).toMatch(/^HTTP\/1\.1 413 /);
    expect(await firstWords(rig, headers(rig, 'content-length: 9\r\nexpect: 100-continue'))).toMatch(
      /^HTTP\/1\.1 100 /,
    );
  });

  test('a chunked body is refused as soon as it is too large', async () => {
    const rig = await start({ limits: { maxBodyBytes: 1000 } });
    const chunk = `3e8\r\n${'x'.repeat(1000)}\r\n`;
    expect(await firstWords(rig, headers(rig, 'transfer-encoding: chunked') + chunk + chunk)).toMatch(
      /^HTTP\/1\.1 413 /,
    );
  });

  test('a sender that goes on regardless can read the refusal', async () => {
    const rig = await start({ limits: { maxBodyBytes: 1000 } });
    const reply = await post(rig, '/v1/score', 'x'.repeat(3_000_000));
    expect([reply.status, reply.body.error.code]).toEqual([413, 'BODY_TOO_LARGE']);
  });
});

describe('failures of the service', () => {
  test.each([
    [fail('BUSY', { waiting: 9 }, { retryAfterMs: 2500 }), 503, 'BUSY', '3'],
    [fail('UNKNOWN_SCORER', { id: 'x', hint: '', known: 'fake' }), 404, 'UNKNOWN_SCORER', undefined],
    [fail('MODEL_LOAD_FAILED', { scorer: 'fake', reason: 'r' }), 503, 'MODEL_LOAD_FAILED', '30'],
    [new TypeError('oops'), 500, 'INTERNAL', undefined],
  ])('%s', async (error, status, code, retryAfter) => {
    const rig = await start();
    rig.service.error = error;
    for (const path of ['/v1/score', '/v1/rank']) {
      const reply = await post(rig, path, { items: [image(1)] });
      expect([reply.status, reply.body.error.code, reply.headers['retry-after']]).toEqual([
        status,
        code,
        retryAfter,
      ]);
    }
  });

  test('an unexpected one is logged with its stack and answered without it', async () => {
    const rig = await start();
    rig.service.error = new TypeError('oops');
    const reply = await post(rig, '/v1/score', { items: [image(1)] });
    expect(reply.bytes.toString()).not.toContain('.ts:');
    expect(rig.lines.at(-1)).toMatchObject({ level: 'error', err: { cause: rig.service.error } });
  });
});

describe('deadline and disconnect', () => {
  test('a request past its deadline is DEADLINE and its work is aborted', async () => {
    const rig = await start({ limits: { requestTimeoutMs: 40 } });
    rig.service.hold = never();
    const reply = await post(rig, '/v1/score', { items: [image(1)] });
    expect([reply.status, reply.body.error.code]).toEqual([503, 'DEADLINE']);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(rig.service.requests[0]!.signal.reason).toMatchObject({ code: 'DEADLINE' });
  });

  test('the deadline covers a body that does not come', async () => {
    const rig = await start({ limits: { requestTimeoutMs: 40 } });
    const { port, host } = rig.server;
    const heard = await new Promise((resolve) => {
      const socket = connect(port, host, () =>
        socket.write(
          `POST /v1/score HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
        ),
      );
      socket.once('data', (data) => {
        socket.destroy();
        resolve(String(data));
      });
    });
    expect(heard).toMatch(/503 .*DEADLINE/s);
  });

  test('an answered request is not aborted after the fact', async () => {
    const rig = await start();
    await post(rig, '/v1/score', { items: [image(1)] });
    await ask(rig, '/healthz');
    expect(rig.service.requests[0]!.signal.aborted).toBe(false);
  });

  test('a client that leaves aborts its work', async () => {
    const rig = await start();
    rig.service.hold = never();
    const controller = new AbortController();
    const body = JSON.stringify({ items: [image(1)] });
    const headers = { 'content-type': 'application/json' };
    const asked = ask(rig, '/v1/score', { method: 'POST', headers, body, signal: controller.signal });
    await until('the work begins', () => rig.service.requests.length === 1);
    controller.abort();
    await expect(asked).rejects.toThrow();
    await until('the work is aborted', () => rig.service.requests[0]!.signal.aborted);
    await until('it is logged', () =>
      rig.lines.some((line) => line.code === 'CANCELLED' && line.status === 499),
    );
  });
});

describe('bad input is never a 500', () => {
  const odd = [
    undefined,
    null,
    0,
    -1,
    1e308,
    '',
    'x',
    [],
    [[]],
    {},
    { items: {} },
    true,
    [null],
    { a: { b: [] } },
  ];

  test.each(['items', 'scorer', 'prompt'])('odd values of %s', async (field) => {
    const rig = await start();
    for (const value of odd) await tryAll(rig, { items: [image(1)], [field]: value });
  });

  test.each(['id', 'source', 'prompt', 'image', 'path'])('odd values of items[0].%s', async (field) => {
    const rig = await start();
    for (const value of odd) await tryAll(rig, { items: [{ ...image(1), [field]: value }] });
  });

  test.each(['format', 'width', 'height', 'data'])('odd values of items[0].image.%s', async (field) => {
    const rig = await start();
    const raw = { format: 'rgb8', width: 1, height: 1, data: 'AAAA' };
    for (const value of odd) await tryAll(rig, { items: [{ image: { ...raw, [field]: value } }] });
  });

  test('odd values as the whole body', async () => {
    const rig = await start();
    for (const value of odd) await tryAll(rig, value);
  });

  async function tryAll(rig: Rig, body: unknown): Promise<void> {
    const text = JSON.stringify(body) ?? '';
    const data = new FormData();
    data.append('request', text);
    data.append('f', new Blob(['x']), 'f');
    const replies = await Promise.all([
      post(rig, '/v1/score', text),
      pack(rig, '/v1/score', body ?? null),
      form(rig, '/v1/score', data),
    ]);
    for (const { status } of replies) expect(status).toBeLessThan(500);
  }
});
