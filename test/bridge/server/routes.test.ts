import { resolve } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import { ask, closeAll, dialRefused, image, post, start, until } from './harness.ts';

afterEach(closeAll);

describe('reading routes', () => {
  test('GET /v1/scorers lists scorers', async () => {
    const reply = await ask(await start(), '/v1/scorers');
    expect(reply.body.scorers).toMatchObject([{ id: 'fake', default: true }]);
  });

  test('POST /v1/scorers/{id}/release names the scorer in its path', async () => {
    const rig = await start();
    const reply = await ask(rig, '/v1/scorers/fake%401.0.0/release', { method: 'POST' });
    expect([reply.status, reply.body]).toEqual([200, { released: 1, pending: 0 }]);
    expect(rig.service.released).toEqual(['fake@1.0.0']);
    expect((await ask(rig, '/v1/scorers/fake/release')).body.error.code).toBe('METHOD_NOT_ALLOWED');
  });

  test('GET /v1/rejects says where the reject bin is', async () => {
    const folder = resolve('some/rejects');
    const reply = await ask(await start({ rejectDir: 'some/rejects' }), '/v1/rejects');
    expect([reply.status, reply.body]).toEqual([200, { folder }]);
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
    '/v1/scores/SECRET',
    '/SECRET?token=SECRET',
    '/%ffSECRET',
    '/v1/ws/SECRET',
    '/v1/history?limit=SECRET',
  ])('%s is not repeated, as it may hold a token', async (path) => {
    const rig = await start();
    const replies = [await ask(rig, path), await dialRefused(rig, {}, path)];
    for (const { status, bytes } of replies) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(String(bytes)).not.toContain('SECRET');
    }
    expect(rig.lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(rig.lines)).not.toContain('SECRET');
  });

  test('a slip in the path is told', async () => {
    const { message } = (await ask(await start(), '/v1/scroe')).body.error;
    expect(message).toContain('did you mean /v1/score?');
  });

  test.each([
    ['GET', '/v1/score', 'POST'],
    ['DELETE', '/v1/rank', 'POST'],
    ['POST', '/healthz', 'GET'],
    ['PUT', '/v1/history', 'GET'],
  ])('%s %s is 405 with what is allowed', async (method, path, allow) => {
    const reply = await ask(await start(), path, { method });
    expect([reply.status, reply.headers.allow]).toEqual([405, allow]);
    expect(reply.body.error).toMatchObject({
      code: 'METHOD_NOT_ALLOWED',
      message: `${path} takes ${allow}, not ${method}`,
    });
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
