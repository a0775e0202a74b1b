/** Answers that clients do not take: what they hold, for how long, and what others feel of it. */
import { afterEach, expect, test } from 'vitest';
import type { ScoreResult } from '../../../src/types/result.ts';
import { ask, closeAll, dial, image, post, type Rig, start, until } from './harness.ts';
import { bare, frameOf, postHead, upgradeHead } from './raw.ts';

afterEach(closeAll);

/** More than the buffers of the system take. */
const ANSWER = 12 * 2 ** 20;
const wordy = (result: ScoreResult): ScoreResult => ({ ...result, notes: ['x'.repeat(ANSWER)] });

const unsent = async (rig: Rig): Promise<number> => {
  const page = String((await ask(rig, '/metrics')).body);
  return Number(/^assay_answer_bytes (\S+)$/m.exec(page)![1]);
};

const body = JSON.stringify({ items: [image(51)] });

/** Asks for a large answer, of which nothing is read. */
function deaf(rig: Rig) {
  const peer = bare(rig, `${postHead(rig, `content-length: ${body.length}`)}${body}`);
  peer.socket.pause();
  return peer;
}

test('one that is not read is closed in time, and gives back what it held', async () => {
  const rig = await start({}, { paceMs: 200, checkMs: 20 });
  rig.service.tweak = wordy;
  deaf(rig);
  await until('it waits', async () => (await unsent(rig)) >= ANSWER);
  await until('it is given back', async () => (await unsent(rig)) < ANSWER, 5000);
  expect(rig.lines).toContainEqual(expect.objectContaining({ level: 'info', bytes: expect.any(Number) }));
});

test('one that is read slowly arrives whole', async () => {
  const rig = await start({}, { paceMs: 200, checkMs: 20 });
  rig.service.tweak = wordy;
  const peer = deaf(rig);
  await until('it waits', async () => (await unsent(rig)) >= ANSWER);
  const pauses = setInterval(() => {
    peer.socket.resume();
    setTimeout(() => peer.socket.pause(), 5);
  }, 50);
  await until('all of it', () => peer.heard().endsWith('}]}'), 20_000);
  clearInterval(pauses);
  expect(peer.heard().length).toBeGreaterThan(ANSWER);
});

test('many that are not read are bounded, and who reads is served', async () => {
  const most = 3 * ANSWER;
  const rig = await start({}, { answerBytes: most, paceMs: 60_000 });
  rig.service.tweak = wordy;
  const ws = bare(rig, upgradeHead(rig));
  ws.socket.pause();
  ws.socket.write(frameOf(JSON.stringify({ id: 1, op: 'score', items: [image(51)] })));
  for (let i = 0; i < 8; i++) deaf(rig);
  await until('all are answered', () => rig.service.requests.length === 9);
  await until('they are held', async () => (await unsent(rig)) > 0);
  expect(await unsent(rig)).toBeLessThan(most + ANSWER);
  expect((await post(rig, '/v1/score', { items: [image(51)] })).bytes.length).toBeGreaterThan(ANSWER);
  const reader = await dial(rig);
  reader.send({ id: 1, op: 'score', items: [image(51)] });
  expect((await reader.answer(1)).results[0].notes[0]).toHaveLength(ANSWER);
  expect(rig.lines.filter(({ bytes }) => Number(bytes) >= ANSWER).length).toBeGreaterThan(5);
});

test('a websocket that does not read for a while keeps its answer while there is room', async () => {
  const rig = await start({}, { paceMs: 100, checkMs: 20 });
  rig.service.tweak = wordy;
  const peer = await dial(rig);
  peer.ws.pause();
  peer.send({ id: 1, op: 'score', items: [image(51)] });
  await until('it waits', async () => (await unsent(rig)) >= ANSWER);
  await new Promise((resolve) => setTimeout(resolve, 400));
  peer.ws.resume();
  expect((await peer.answer(1)).results[0].notes[0]).toHaveLength(ANSWER);
});

test('a draining daemon waits neither for readers nor for senders that stand still', async () => {
  const rig = await start({}, { pressedPaceMs: 200, checkMs: 20, goodbyeMs: 200 });
  rig.service.tweak = wordy;
  deaf(rig);
  await until('its answer waits', async () => (await unsent(rig)) >= ANSWER);
  rig.service.tweak = (result) => result;
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.service.hold = promise;
  const running = post(rig, '/v1/score', { items: [image(51)] });
  await until('it runs', () => rig.service.requests.length === 2);
  const half = bare(rig, `${postHead(rig, 'content-length: 1000')}{"items"`);
  const steady = bare(rig, `${postHead(rig, `content-length: ${body.length}`)}{`);
  await until('they are here', async () => {
    const page = String((await ask(rig, '/metrics')).body);
    return Number(/^assay_request_bytes (\S+)$/m.exec(page)![1]) >= body.length + 9;
  });
  const began = performance.now();
  const closing = rig.server.close({ drainTimeoutMs: 60_000 });
  steady.socket.write(body.slice(1)); // it was let in before
  await half.closed;
  expect(half.heard()).toMatch(/408 [\s\S]*STALLED/);
  resolve();
  expect((await running).body.results[0].reward).toBe(0.2);
  await until('the late one is answered', () => steady.heard().includes('"reward":0.2'));
  await closing;
  expect(performance.now() - began).toBeLessThan(10_000);
});
