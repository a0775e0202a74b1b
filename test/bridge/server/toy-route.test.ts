/** A route added from outside is one row: HTTP, websocket, document, log and metrics read it. */
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { readValue } from '../../../src/bridge/server/http/value.ts';
import { answer, content, named } from '../../../src/bridge/server/routes/docs.ts';
import { ROUTES } from '../../../src/bridge/server/routes/index.ts';
import type { Route } from '../../../src/bridge/server/routes/route.ts';
import { parse } from '../../../src/bridge/server/wire/parse.ts';
import { ask, closeAll, dial, pack, post, type Rig, start, until } from './harness.ts';

afterEach(closeAll);

const toyRequest = z.strictObject({ words: z.array(z.string()).max(3) });
type ToyRequest = z.infer<typeof toyRequest>;
const toyAnswer = z.object({ joined: z.string() });

const toy: Route<ToyRequest> = {
  method: 'post',
  path: '/v1/toy',
  read: async (exchange) => parse(toyRequest, await readValue(exchange)),
  handler: (_, { words }) => ({ body: { joined: words.join(' ') } }),
  socket: {
    op: 'toy',
    fields: toyRequest.shape,
    itemsIn: () => 1,
    inputOf: (message) => message as ToyRequest,
  },
  docs: {
    summary: 'Join words',
    body: content(named('ToyRequest', toyRequest)),
    answers: { 200: answer('The words', named('ToyAnswer', toyAnswer)) },
    errors: ['BAD_REQUEST', 'MALFORMED_BODY', 'UNSUPPORTED_CONTENT_TYPE', 'BODY_TOO_LARGE'],
  },
};

const quiet: Route = {
  method: 'get',
  path: '/toyz',
  always: true,
  quiet: true,
  open: true,
  handler: () => ({ body: { toys: 3 } }),
  docs: { summary: 'How many toys', answers: { 200: answer('A count', { type: 'object' }) } },
};

const startToys = (flags: object = {}): Promise<Rig> => start(flags, {}, [...ROUTES, toy, quiet]);

test('is answered in both encodings, beside the routes of the table', async () => {
  const rig = await startToys();
  const inJson = await post(rig, '/v1/toy', { words: ['a', 'b'] });
  expect([inJson.status, inJson.body]).toEqual([200, { joined: 'a b' }]);
  const binary = await pack(rig, '/v1/toy', { words: ['c'] });
  expect([binary.status, binary.body]).toEqual([200, { joined: 'c' }]);
  expect((await ask(rig, '/v1/scorers')).status).toBe(200);
});

test('is an op of the websocket, too', async () => {
  const rig = await startToys();
  const peer = await dial(rig);
  peer.send({ id: 1, op: 'toy', words: ['a', 'b'] });
  expect(await peer.answer(1)).toEqual({ id: 1, ok: true, joined: 'a b' });
  peer.send({ id: 2, op: 'toy', words: 'a' });
  expect(await peer.answer(2)).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
  peer.send({ id: 3, op: 'toi' });
  expect((await peer.answer(3)).error.message).toContain('did you mean "toy"?');
});

test.each([
  [{ words: 'a' }, 'application/json', 400, 'words: expected array'],
  [{ word: [] }, 'application/json', 400, 'did you mean "words"?'],
  ['{', 'application/json', 400, 'JSON'],
  ['a', 'text/plain', 415, 'application/json or application/msgpack'],
])('refuses %j as %s', async (body, type, status, words) => {
  const reply = await post(await startToys(), '/v1/toy', body, { 'content-type': type });
  expect(reply.status).toBe(status);
  expect(reply.body.error.message).toContain(words);
});

test('is refused with the wrong method', async () => {
  const reply = await ask(await startToys(), '/v1/toy', { method: 'PUT' });
  expect([reply.status, reply.headers.allow]).toEqual([405, 'POST']);
});

test('is in the document, with its schemas and errors', async () => {
  const doc = (await ask(await startToys(), '/openapi.json')).body;
  const { post: operation } = doc.paths['/v1/toy'];
  expect(operation).toMatchObject({
    summary: 'Join words',
    requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/ToyRequest' } } } },
    responses: {
      200: { content: { 'application/msgpack': { schema: { $ref: '#/components/schemas/ToyAnswer' } } } },
    },
  });
  expect(Object.keys(operation.responses)).toEqual(
    expect.arrayContaining(['400', '401', '403', '413', '415', '500', '503']),
  );
  expect(doc.components.schemas.ToyAnswer.properties).toEqual({ joined: { type: 'string' } });
  expect(doc.components.schemas.SocketToy.required).toEqual(['id', 'op', 'words']);
  expect(doc.paths['/v1/ws'].get.description).toMatch(/with op (\S+ )*toy\b/);
  expect(doc.paths['/toyz'].get).toMatchObject({ security: [] });
  expect(Object.keys(doc.paths['/toyz'].get.responses)).not.toContain('503');
});

test('is logged and counted', async () => {
  const rig = await startToys();
  await post(rig, '/v1/toy', { words: [] });
  await post(rig, '/v1/toy', { words: 1 });
  await ask(rig, '/toyz');
  await until('three lines', () => rig.lines.length === 3);
  expect(rig.lines).toMatchObject([
    { level: 'info', route: '/v1/toy', status: 200, ms: expect.any(Number), client: expect.any(String) },
    { level: 'info', route: '/v1/toy', status: 400, code: 'BAD_REQUEST' },
    { level: 'debug', route: '/toyz', status: 200 },
  ]);
  const page = (await ask(rig, '/metrics')).body;
  expect(page).toContain('assay_requests_total{route="/v1/toy",status="200"} 1');
  expect(page).toContain('assay_requests_total{route="/v1/toy",status="400"} 1');
});

test('wants the token, unless it is open', async () => {
  const rig = await startToys({ token: 'secret-of-the-test' });
  expect((await post(rig, '/v1/toy', { words: [] })).status).toBe(401);
  expect((await ask(rig, '/toyz')).status).toBe(200);
});

test('is refused while the daemon drains, unless it is always answered', async () => {
  const rig = await startToys();
  let release = () => {};
  rig.service.hold = new Promise((resolve) => {
    release = resolve;
  });
  const held = post(rig, '/v1/score', { items: [{ image: 'AA==' }] });
  await until('the request is in work', () => rig.service.requests.length === 1);
  const closed = rig.server.close({ drainTimeoutMs: 5_000 });
  const refused = await post(rig, '/v1/toy', { words: [] });
  expect([refused.status, refused.body.error.code]).toEqual([503, 'DRAINING']);
  expect((await ask(rig, '/toyz')).status).toBe(200);
  release();
  expect((await held).status).toBe(200);
  await closed;
});

test('two schemas of one name are refused at the start', async () => {
  const twin: Route = {
    ...quiet,
    docs: { ...quiet.docs, answers: { 200: answer('', named('ToyAnswer', z.int())) } },
  };
  await expect(start({}, {}, [toy, twin])).rejects.toThrow('two schemas are named ToyAnswer');
});
