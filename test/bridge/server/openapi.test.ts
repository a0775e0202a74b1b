import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { ask, closeAll, image, post, type Reply, type Rig, start } from './harness.ts';

afterEach(closeAll);

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Json = any;

const document = async (rig: Rig): Promise<Json> => (await ask(rig, '/openapi.json')).body;

/** A schema of the document as a zod schema, with the named ones in reach. */
function schemaOf(doc: Json, schema: Json): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: doc.components.schemas });
  return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
}

function* objectsIn(value: Json): Generator<Json> {
  if (value === null || typeof value !== 'object') return;
  yield value;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

const at = (doc: Json, pointer: string): Json =>
  pointer
    .split('/')
    .slice(1)
    .reduce((value, key) => value?.[key], doc);

test('is OpenAPI 3.1 and each $ref leads somewhere', async () => {
  const doc = await document(await start());
  expect(doc).toMatchObject({ openapi: '3.1.0', info: { title: 'Assay', version: '9.9.9' } });
  const refs = [...objectsIn(doc)].flatMap((object) =>
    typeof object.$ref === 'string' ? [object.$ref] : [],
  );
  expect(refs.length).toBeGreaterThan(20);
  for (const ref of refs) expect([ref, typeof at(doc, ref.replace('#', ''))]).toEqual([ref, 'object']);
});

test('lists every route, and no other', async () => {
  const rig = await start();
  const doc = await document(rig);
  expect(Object.keys(doc.paths).sort()).toEqual(
    [
      '/',
      '/healthz',
      '/metrics',
      '/openapi.json',
      '/readyz',
      '/v1/history',
      '/v1/monitor',
      '/v1/profiles',
      '/v1/prompt',
      '/v1/rank',
      '/v1/rejects',
      '/v1/rewards',
      '/v1/score',
      '/v1/scorers',
      '/v1/scorers/{id}/release',
      '/v1/studies',
      '/v1/studies/{id}',
      '/v1/studies/{id}/ask',
      '/v1/studies/{id}/tell',
      '/v1/ws',
    ].sort(),
  );
  for (const path of Object.keys(doc.paths).filter((p) => p !== '/v1/ws')) {
    const method = doc.paths[path].post ? 'POST' : 'GET';
    expect([path, (await ask(rig, path, { method })).status]).not.toContain(404);
  }
});

test('its examples fit its schemas', async () => {
  const doc = await document(await start());
  const examples = [...objectsIn(doc)].filter((object) => object.schema && object.example);
  expect(examples.length).toBeGreaterThan(5);
  for (const { schema, example } of examples)
    expect(schemaOf(doc, schema).safeParse(example).error).toBeUndefined();
});

test('each route answers with a body of its own schema, for success and failure', async () => {
  const rig = await start();
  const doc = await document(rig);
  const fits = (path: string, method: string, reply: Reply) => {
    const response = doc.paths[path][method].responses[String(reply.status)];
    expect([path, reply.status, typeof response]).toEqual([path, reply.status, 'object']);
    const type = String(reply.headers['content-type']).split(';')[0]!;
    expect(Object.keys(response.content)).toContain(type);
    expect(schemaOf(doc, response.content[type].schema).safeParse(reply.body).error).toBeUndefined();
  };
  for (const path of ['/', '/healthz', '/metrics', '/openapi.json', '/readyz', '/v1/history', '/v1/scorers'])
    fits(path, 'get', await ask(rig, path));
  for (const path of ['/v1/score', '/v1/rank']) {
    fits(path, 'post', await post(rig, path, { items: [image(1), { image: '!' }] }));
    fits(path, 'post', await post(rig, path, { items: [] }));
    fits(path, 'post', await post(rig, path, '{'));
    fits(path, 'post', await post(rig, path, 'x', { 'content-type': 'text/plain' }));
    fits(path, 'post', await post(rig, path, {}, { host: 'evil.example' }));
  }
  fits('/v1/history', 'get', await ask(rig, '/v1/history?limit=0'));
  rig.service.unready = 'loading';
  fits('/readyz', 'get', await ask(rig, '/readyz'));
});

test('describes the request that works, and not one that does not', async () => {
  const doc = await document(await start());
  const request = schemaOf(doc, doc.components.schemas.ScoreRequest);
  expect(request.safeParse({ prompt: 'p', items: [image(1), { path: '/x' }] }).success).toBe(true);
  expect(request.safeParse({ items: [] }).success).toBe(false);
  expect(request.safeParse({ items: [image(1)], promt: 'p' }).success).toBe(false);
});
