/** `POST /v1/prompt` over real sockets. */
import { afterEach, expect, test } from 'vitest';
import { b64, closeAll, pack, post, start } from './harness.ts';

afterEach(closeAll);

const found = { prompt: 'a cat', negative: null, original: null, certain: true, reason: null };

test('answers for a workflow and for an image', async () => {
  const rig = await start();
  const inWorkflow = await post(rig, '/v1/prompt', { workflow: { graph: { 9: {} }, node: '9' } });
  expect([inWorkflow.status, inWorkflow.body]).toEqual([200, { ...found, from: 'node 9' }]);
  const inImage = await post(rig, '/v1/prompt', { image: b64(1, 2, 3) });
  expect([inImage.status, inImage.body]).toEqual([200, { ...found, from: '3 bytes' }]);
  const binary = await pack(rig, '/v1/prompt', { image: Buffer.from([1, 2]) });
  expect([binary.status, binary.body]).toEqual([200, { ...found, from: '2 bytes' }]);
});

test.each([
  [{}, 'expected exactly one of workflow and image'],
  [{ image: 'AA==', workflow: { graph: {}, node: '9' } }, 'expected exactly one of workflow and image'],
  [{ workflow: { graph: {} } }, 'workflow.node'],
  [{ workflow: { graph: [], node: '9' } }, 'workflow.graph'],
  [{ image: '!' }, 'not valid base64'],
  [{ image: 5 }, 'image: expected string or binary'],
])('refuses %j', async (body, words) => {
  const reply = await post(await start(), '/v1/prompt', body);
  expect(reply.status).toBe(400);
  expect(reply.body.error.message).toContain(words);
});
