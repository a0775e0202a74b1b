import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { AssayError } from '../../../src/errors/error.ts';
import { ask, closeAll, dial, dialRefused, image, post, type Rig, start } from './harness.ts';

afterEach(closeAll);

const hostOf = (name: string, rig: Rig) => name.replace('PORT', String(rig.server.port));

describe('Host', () => {
  const refused = [
    'evil.example',
    'evil.example:PORT',
    'localhost',
    '127.0.0.1:1',
    'localhost.evil.example:PORT',
  ];
  test.each(refused)('%j is refused, on HTTP and websocket', async (name) => {
    const rig = await start();
    const headers = { host: hostOf(name, rig) };
    for (const reply of [await ask(rig, '/healthz', { headers }), await dialRefused(rig, { headers })]) {
      expect(reply.status).toBe(403);
      expect(reply.body.error).toMatchObject({
        code: 'HOST_REFUSED',
        fix: expect.stringContaining('allowedHosts'),
      });
    }
  });

  const accepted = [
    '127.0.0.1:PORT',
    'localhost:PORT',
    'LOCALHOST:PORT',
    '[::1]:PORT',
    '127.0.0.9:PORT',
    'box.lan',
    'box.lan:99',
    'other:8',
  ];
  test.each(accepted)('%s is accepted', async (name) => {
    const rig = await start({ allowedHosts: ['box.lan', 'Other:8'] });
    expect((await ask(rig, '/healthz', { headers: { host: hostOf(name, rig) } })).status).toBe(200);
    await dial(rig, { headers: { host: hostOf(name, rig) } });
  });
});

describe('Origin', () => {
  test.each(['https://evil.example', 'null', 'http://127.0.0.1:1', 'http://localhost'])(
    '%s is refused, on HTTP and websocket',
    async (origin) => {
      const rig = await start();
      const reply = await ask(rig, '/v1/scorers', { headers: { origin } });
      expect(reply.status).toBe(403);
      expect(reply.body.error.code).toBe('ORIGIN_REFUSED');
      expect(reply.headers['access-control-allow-origin']).toBeUndefined();
      expect((await dialRefused(rig, { headers: { origin } })).body.error.code).toBe('ORIGIN_REFUSED');
    },
  );

  test('its own and the allowed ones are served, with CORS headers', async () => {
    const rig = await start({ allowedOrigins: ['https://studio.example'] });
    for (const origin of ['https://studio.example', rig.server.url]) {
      const reply = await ask(rig, '/v1/scorers', { headers: { origin } });
      expect(reply.status).toBe(200);
      expect(reply.headers['access-control-allow-origin']).toBe(origin);
      expect(reply.headers.vary).toBe('Origin');
      await dial(rig, { headers: { origin } });
    }
    expect((await ask(rig, '/v1/scorers')).headers['access-control-allow-origin']).toBeUndefined();
  });

  test('a preflight is answered without the token, a request is not', async () => {
    const rig = await start({ token: 'correct-horse', allowedOrigins: ['https://studio.example'] });
    const headers = { origin: 'https://studio.example', 'access-control-request-method': 'POST' };
    const reply = await ask(rig, '/v1/score', { method: 'OPTIONS', headers });
    expect(reply.status).toBe(204);
    expect(reply.headers['access-control-allow-headers']).toContain('Authorization');
    expect(
      (await ask(rig, '/v1/score', { method: 'OPTIONS', headers: { origin: headers.origin } })).status,
    ).toBe(401);
    headers.origin = 'https://evil.example';
    expect((await ask(rig, '/v1/score', { method: 'OPTIONS', headers })).status).toBe(403);
  });
});

describe('token', () => {
  const token = 'correct-horse';
  const wrong = [
    undefined,
    'Bearer',
    'Bearer wrong',
    `Basic ${token}`,
    token,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
  ];
  test.each(wrong)('%s is refused on every route but /healthz', async (authorization) => {
    const rig = await start({ token });
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    for (const path of [
      '/',
      '/readyz',
      '/metrics',
      '/openapi.json',
      '/v1/scorers',
      '/v1/history',
      '/nowhere',
    ]) {
      const reply = await ask(rig, path, { headers });
      expect([path, reply.status, reply.body.error?.code]).toEqual([path, 401, 'UNAUTHORIZED']);
      expect(reply.headers['www-authenticate']).toBe('Bearer');
    }
    expect((await post(rig, '/v1/score', { items: [image(1)] }, headers)).status).toBe(401);
    expect((await dialRefused(rig, { headers })).status).toBe(401);
    expect((await ask(rig, '/healthz', { headers })).status).toBe(200);
    expect(rig.service.requests).toHaveLength(0);
  });

  test('the right one opens HTTP and websocket, and appears in no log line', async () => {
    const rig = await start({ token });
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask(rig, '/v1/scorers', { headers })).status).toBe(200);
    const peer = await dial(rig, { headers });
    peer.send({ id: 1, op: 'ping' });
    expect(await peer.answer(1)).toEqual({ id: 1, ok: true });
    expect(JSON.stringify(rig.lines)).not.toContain(token);
  });
});

describe('listening', () => {
  const code = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(AssayError);
    return (error as AssayError).code;
  };

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    '%s without a token is TOKEN_REQUIRED',
    async (host) => {
      expect(await code(start({ host }))).toBe('TOKEN_REQUIRED');
    },
  );
  test('a taken port is PORT_IN_USE', async () => {
    const rig = await start();
    expect(await code(start({ port: rig.server.port }))).toBe('PORT_IN_USE');
  });
  test('an address of another machine is LISTEN_FAILED', async () => {
    expect(await code(start({ host: '192.0.2.1', token: 'correct-horse' }))).toBe('LISTEN_FAILED');
  });
  test('says where it listens', async () => {
    const { server } = await start();
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect(server.port).toBeGreaterThan(0);
  });
});

/** Sends bytes over a bare connection and returns all that comes back. */
function talk({ server }: Rig, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(server.port, server.host, () => socket.write(text));
    socket.on('data', (data) => {
      heard += data;
    });
    socket.once('close', () => resolve(heard)).once('error', reject);
  });
}

describe('peers that speak no proper HTTP', () => {
  test('a request line that is none gets a coded 400', async () => {
    const heard = await talk(await start(), 'HELLO\r\n\r\n');
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(heard.split('\r\n\r\n')[1]!).error.code).toBe('MALFORMED_BODY');
  });
  test('a request without a host is refused', async () => {
    expect(await talk(await start(), 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/403 .*HOST_REFUSED/s);
  });
  test('headers that trickle in get 408', async () => {
    const rig = await start({}, { headersTimeoutMs: 100 });
    expect(await talk(rig, `GET / HTTP/1.1\r\nhost: 127.0.0.1:${rig.server.port}\r\nx-slow: `)).toMatch(
      /^HTTP\/1\.1 408 /,
    );
  });
  test('a client that asks for HTTP/2 on the way is served over HTTP/1.1', async () => {
    const rig = await start();
    const head = `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${rig.server.port}\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n`;
    expect(await talk(rig, head)).toMatch(/^HTTP\/1\.1 200 /);
  });
  test('a refused upgrade leaves no connection behind', async () => {
    const rig = await start();
    const head = `GET /v1/ws HTTP/1.1\r\nhost: evil.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
    expect(await talk(rig, head)).toMatch(/^HTTP\/1\.1 403 .*HOST_REFUSED/s);
    await rig.server.close({ drainTimeoutMs: 20_000 });
  });
});
