import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { fail } from '../../../src/errors.ts';
import { ask, closeAll, form, image, pack, post, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

const never = (): Promise<void> => new Promise(() => {});

describe('reading routes', () => {
  test('GET /v1/scorers lists scorers', async () => {
    const reply = await ask(await start(), '/v1/scorers');
    expect(reply.body.scorers).toMatchObject([{ id: 'fake', default: true }]);
  });

  test('GET /healthz is alive and names the version', async () => {
    const reply = await ask(await start(), '/healthz');
    expect([reply.status, reply.body]).toEqual([200, { status: 'ok', version: '9.9.9' }]);
  });

  test('GET /readyz is 503 with the reason until the service is ready', async () => {
    const rig = await start();
    rig.service.unready = 'fake is loading';
    const before = await ask(rig, '/readyz');
    expect([before.status, before.body]).toEqual([503, { ready: false, reason: 'fake is loading' }]);
    expect(Number(before.headers['retry-after'])).toBeGreaterThan(0);
    rig.service.unready = null;
    expect((await ask(rig, '/readyz')).body).toEqual({ ready: true, reason: null });
  });

  test('GET / says what this is', async () => {
    const reply = await ask(await start(), '/');
    expect(reply.headers['content-type']).toContain('text/html');
    expect(reply.body).toContain('/openapi.json');
    expect(reply.headers['x-powered-by']).toBeUndefined();
  });
});

describe('GET /v1/history', () => {
  test('turns the query into filters', async () => {
    const rig = await start();
    const sha256 = 'a'.repeat(64);
    const query = `scorer=fake&decision=reject&prompt=a%20cat&sha256=${sha256}&minReward=0.25&maxReward=1&since=5&until=9&failed=false&limit=7&cursor=c`;
    const reply = await ask(rig, `/v1/history?${query}`);
    expect(reply.body.entries).toHaveLength(1);
    expect(rig.service.queries).toEqual([
      {
        scorer: 'fake',
        decision: 'reject',
        prompt: 'a cat',
        sha256,
        minReward: 0.25,
        maxReward: 1,
        since: 5,
        until: 9,
        failed: false,
        limit: 7,
        cursor: 'c',
      },
    ]);
  });

  test('pages by 50, and empty filters are none', async () => {
    const rig = await start();
    await ask(rig, '/v1/history?prompt=&minReward=');
    expect(rig.service.queries).toEqual([{ limit: 50 }]);
  });

  test.each([
    ['limit=501', 'limit'],
    ['limit=0', 'limit'],
    ['limit=x', 'limit'],
    ['decision=maybe', 'decision'],
    ['minReward=2', 'minReward'],
    ['since=1e400', 'since'],
    ['failed=1', 'failed'],
    ['sha256=abc', 'sha256'],
    ['limt=5', 'did you mean "limit"?'],
  ])('refuses %s', async (query, reason) => {
    const reply = await ask(await start(), `/v1/history?${query}`);
    expect(reply.status).toBe(400);
    expect(reply.body.error).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining(reason) });
  });

  test('a broken store is 503 with Retry-After', async () => {
    const rig = await start();
    rig.service.error = fail('STORE_UNAVAILABLE', { reason: 'disk full' });
    const reply = await ask(rig, '/v1/history');
    expect([reply.status, reply.body.error.code]).toEqual([503, 'STORE_UNAVAILABLE']);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('what is not there', () => {
  test.each(['/nowhere', '/v1', '/v1/score/x', '/v1/ws', '/%zz', '/..%2f..%2fetc/passwd'])(
    '%s is a coded 4xx',
    async (path) => {
      const reply = await ask(await start(), path);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.status).toBeLessThan(500);
      expect(reply.body.error).toMatchObject({ code: expect.any(String), fix: expect.any(String) });
    },
  );

  test.each([
    ['GET', '/v1/score', 'POST'],
    ['DELETE', '/v1/rank', 'POST'],
    ['POST', '/healthz', 'GET'],
    ['PUT', '/v1/history', 'GET'],
  ])('%s %s is 405 with what is allowed', async (method, path, allow) => {
    const reply = await ask(await start(), path, { method });
    expect([reply.status, reply.headers.allow]).toEqual([405, allow]);
    expect(reply.body.error.message).toContain(`${method} ${path}`);
  });
});

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

describe('log and metrics', () => {
  test('one line a request: route, status, items, time, client, slowest stages', async () => {
    const rig = await start();
    await post(rig, '/v1/score', { items: [image(1), image(2)] }, { 'x-assay-client': 'trainer-1' });
    await until('the line', () => rig.lines.length > 0);
    expect(rig.lines).toMatchObject([
      {
        level: 'info',
        route: '/v1/score',
        status: 200,
        items: 2,
        ms: expect.any(Number),
        client: 'trainer-1',
        slowest: { decodeMs: 1, queueMs: 2, inferMs: 3, totalMs: 6 },
      },
    ]);
    expect(rig.service.requests[0]!.client).toBe('trainer-1');
  });

  test('a client without a name, or with a bad one, gets one for its connection', async () => {
    const rig = await start();
    await post(rig, '/v1/score', { items: [image(1)] });
    await post(rig, '/v1/score', { items: [image(1)] }, { 'x-assay-client': '"} evil' });
    const names = rig.service.requests.map((r) => r.client);
    expect(names).toEqual([
      expect.stringMatching(/^anon-[0-9a-f]{8}$/),
      expect.stringMatching(/^anon-[0-9a-f]{8}$/),
    ]);
    expect(names[0]).not.toBe(names[1]);
  });

  test('GET /metrics is Prometheus text', async () => {
    const rig = await start();
    await post(rig, '/v1/score', { items: [image(1), { image: '!' }] });
    await ask(rig, '/nowhere');
    const reply = await ask(rig, '/metrics');
    expect(reply.headers['content-type']).toContain('text/plain');
    const lines = String(reply.body).trim().split(/\n+/);
    for (const line of lines)
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [-+\d.eE]+(Inf|NaN)?)$/);
    const sample = (start: string) =>
      Number(
        lines
          .find((line) => line.startsWith(start))
          ?.split(' ')
          .at(-1),
      );
    expect(sample('assay_requests_total{route="/v1/score",status="200"}')).toBe(1);
    expect(sample('assay_requests_total{route="refused",status="404"}')).toBe(1);
    expect(sample('assay_items_total{outcome="scored"}')).toBe(1);
    expect(sample('assay_items_total{outcome="failed"}')).toBe(1);
    expect(sample('assay_stage_duration_seconds_count{stage="infer"}')).toBe(1);
    expect(sample('assay_queue_waiting')).toBe(3);
    expect(sample('assay_queue_running')).toBe(2);
    expect(sample('assay_ready')).toBe(1);
    expect(sample('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(sample('process_resident_memory_bytes')).toBeGreaterThan(1e6);
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
