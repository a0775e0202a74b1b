/** Requests that arrive slowly, in parts or never: what they hold, for how long, and what others feel of it. */
import { afterEach, describe, expect, test } from 'vitest';
import { ask, closeAll, dial, image, pack, post, type Rig, start, until } from './harness.ts';
import { bare, frameHead, frameOf, postHead, upgradeHead } from './raw.ts';

afterEach(closeAll);

const MAX = 2 ** 22;
const limits = { maxBodyBytes: MAX };
const quick = { paceMs: 300, pressedPaceMs: 100, checkMs: 20 };

const metric = async (rig: Rig, name: string): Promise<number> => {
  const page = String((await ask(rig, '/metrics')).body);
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)![1]);
};
const held = (rig: Rig) => metric(rig, 'assay_request_bytes');

const scored = async (rig: Rig, bytes = 1000): Promise<number> => {
  const { status } = await pack(rig, '/v1/score', { items: [{ image: new Uint8Array(bytes) }] });
  return status;
};

describe('half-sent bodies', () => {
  test.each([
    ['chunked', 'transfer-encoding: chunked', '3\r\n{"a\r\n'],
    ['announced as the largest', `content-length: ${MAX}`, '{"a'],
    ['asked about first', `content-length: ${MAX}\r\nexpect: 100-continue`, '{"a'],
  ])('%s: everyone else is served, and the sender is told', async (_, header, bytes) => {
    const rig = await start({ limits }, quick);
    const senders = Array.from({ length: 5 }, () => bare(rig, postHead(rig, header) + bytes));
    await until('they are here', async () => (await held(rig)) > 0);
    expect(await held(rig)).toBeLessThan(100); // what came, not what was announced
    expect(await scored(rig, MAX / 4)).toBe(200);
    await Promise.all(senders.map(({ closed }) => closed));
    for (const sender of senders) expect(sender.heard()).toMatch(/HTTP\/1\.1 408 [\s\S]*STALLED/);
    expect(await held(rig)).toBe(0);
  });

  test.each(['application/msgpack', 'multipart/form-data; boundary=b'])('%s', async (type) => {
    const rig = await start({ limits }, quick);
    const sender = bare(rig, `${postHead(rig, `content-length: ${MAX}`, type)}--b\r\n`);
    await sender.closed;
    expect(sender.heard()).toContain('STALLED');
    expect(await held(rig)).toBe(0);
  });

  test('a sender that is slow but steady is waited for', async () => {
    const rig = await start({ limits }, { ...quick, paceBytes: 10 });
    const body = JSON.stringify({ items: [image(51)], prompt: 'x'.repeat(200) });
    const sender = bare(rig, postHead(rig, `content-length: ${body.length}`));
    for (let at = 0; at < body.length; at += 20) {
      sender.socket.write(body.slice(at, at + 20));
      const until = performance.now() + 60;
      while (performance.now() < until) await ask(rig, '/healthz');
    }
    await until('the answer', () => sender.heard().includes('"reward":0.2'));
  });
});

describe('unfinished websocket messages', () => {
  const opened = (rig: Rig, first: Buffer) => {
    const peer = bare(rig, upgradeHead(rig));
    peer.socket.write(first);
    return peer;
  };

  test('a frame that does not go on: told why, then closed with 1008', async () => {
    const rig = await start({ limits }, quick);
    const peer = opened(rig, Buffer.concat([frameHead(MAX), Buffer.from('{"id"')]));
    await peer.closed;
    expect(peer.heard()).toContain('STALLED');
    expect(peer.heard()).toContain(String.fromCharCode(1008 >> 8, 1008 & 255));
    expect(await held(rig)).toBe(0);
  });

  test('empty fragments are no progress', async () => {
    const rig = await start({ limits }, quick);
    const peer = opened(rig, frameOf('{', 1, false));
    const timer = setInterval(() => peer.socket.write(frameOf('', 0, false)), 20);
    await peer.closed;
    clearInterval(timer);
    expect(peer.heard()).toContain('STALLED');
  });

  test('many large ones: bounded, others are served, and all is given back', async () => {
    const rig = await start({ limits }, quick);
    const part = Buffer.alloc(MAX - 1000, 32);
    const peers = Array.from({ length: 10 }, () => opened(rig, Buffer.concat([frameHead(MAX), part])));
    await until('they fill it', async () => (await held(rig)) > MAX);
    expect(await held(rig)).toBeLessThan(2 * MAX + 10 * 2 ** 17);
    for (let n = 0; n < 5; n++) expect(await scored(rig, 50_000)).toBe(200);
    await Promise.all(peers.map(({ closed }) => closed));
    expect(await held(rig)).toBe(0);
    expect(await scored(rig, MAX / 2)).toBe(200);
  });

  test('one that leaves in the middle leaves nothing', async () => {
    const rig = await start({ limits });
    const peer = opened(rig, Buffer.concat([frameHead(MAX), Buffer.alloc(MAX / 2)]));
    await until('it is here', async () => (await held(rig)) >= MAX / 2);
    peer.socket.destroy();
    await until('it is gone', async () => (await held(rig)) === 0);
  });

  test('fragments of a byte each make one message', async () => {
    const rig = await start();
    const text = JSON.stringify({ id: 1, op: 'score', items: [image(51)] });
    const frames = [...text].map((char, i) => frameOf(char, i === 0 ? 1 : 0, i === text.length - 1));
    const peer = opened(rig, Buffer.concat(frames));
    await until('the answer', () => peer.heard().includes('"reward":0.2'));
  });
});

describe('many connections', () => {
  test('beyond the limit the idlest closes, and the newcomer is served', async () => {
    const rig = await start({}, { maxConnections: 20 });
    const peer = await dial(rig);
    const idle = Array.from({ length: 40 }, () => bare(rig, 'GET'));
    expect((await ask(rig, '/healthz')).status).toBe(200);
    await idle[0]!.closed;
    peer.send({ id: 1, op: 'ping' });
    expect((await peer.answer(1)).ok).toBe(true);
  });

  test('websockets that are opened and left alone shut nobody out', async () => {
    const rig = await start({}, { maxConnections: 20 });
    const peer = await dial(rig);
    for (let i = 1; i <= 5; i++) peer.send({ id: i, op: 'ping' });
    for (let i = 1; i <= 5; i++) await peer.answer(i);
    for (let i = 0; i < 30; i++) await dial(rig);
    expect((await ask(rig, '/healthz')).status).toBe(200);
    expect(await scored(rig)).toBe(200);
    peer.send({ id: 6, op: 'ping' });
    expect((await peer.answer(6)).ok).toBe(true);
  });

  test('a connection that asks and asks without reading is closed', async () => {
    const rig = await start();
    const request = `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${rig.server.port}\r\n\r\n`;
    await bare(rig, request.repeat(5000)).closed;
    expect((await ask(rig, '/healthz')).status).toBe(200);
  });

  test('some requests at once on one connection are answered in order', async () => {
    const rig = await start();
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${rig.server.port}\r\n\r\n`;
    const peer = bare(
      rig,
      Array.from({ length: 20 }, () => request('/healthz')).join('') + request('/nowhere'),
    );
    await until('all', () => peer.heard().includes('404 Not Found'));
    expect(peer.heard().match(/200 OK/g)).toHaveLength(20);
  });
});

test('a body that waits for room is refused at its deadline, and what was sent is given back', async () => {
  const rig = await start({ limits: { ...limits, requestTimeoutMs: 300 } }, { pressedPaceMs: 60_000 });
  const sizes = [MAX, MAX];
  const senders = sizes.map((size) => {
    const sender = bare(rig, postHead(rig, `content-length: ${size}`));
    sender.socket.write(Buffer.alloc(size - 1, 32));
    return sender;
  });
  await until('both are answered', () => senders.every((s) => /503 [\s\S]*DEADLINE/.test(s.heard())));
  for (const { socket } of senders) socket.destroy();
  await until('all is given back', async () => (await held(rig)) === 0);
  expect((await post(rig, '/v1/score', { items: [image(1)] })).status).toBe(200);
});
