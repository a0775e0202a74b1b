/** `GET /v1/monitor`, its warnings and its metrics: over the real runtime, with judges that say what the prompt says. */
import { afterEach, expect, test } from 'vitest';
import { monitorAnswer } from '../../../src/bridge/server/wire/monitor-schemas.ts';
import { flat } from '../../support/images.ts';
import { ask, closeAll, dial, until } from './harness.ts';
import { image, pack, type RealRig, startReal } from './real.ts';

afterEach(closeAll);

/** The reward is the quality, which is the number in the prompt; alignment, which is not rewarded, is 5 less it. */
const quality = { terms: [{ aspect: 'quality', scale: 'score' }] };
const settings = (share = 1) => ({
  rewards: { profile: 'quality', profiles: { quality } },
  monitor: { heldOut: 'assay-lite', aspect: 'alignment', share },
});

/** Between 0 and 1, the same each time. */
const jitter = (n: number): number => (n * 0.618) % 1;

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
type Json = any;

/** Groups of two images, whose quality is that of `at` and a little more or less. */
const groupsOf = (count: number, at: (group: number) => number): object[] =>
  Array.from({ length: 2 * count }, (_, i) => {
    const group = i >> 1;
    return image((at(group) + 0.3 * jitter(i)).toFixed(4), { group: `${group}`, id: `${i}` });
  });

async function send(rig: RealRig, items: object[], more: object = {}): Promise<void> {
  const reply = await pack(rig, '/v1/rewards', { items, ...more }, 'trainer');
  expect(reply.body.error).toBeUndefined();
}

async function runs(rig: RealRig): Promise<Json[]> {
  const { body } = await ask(rig, '/v1/monitor');
  monitorAnswer.parse(body);
  return body.runs;
}

const judged = (rig: RealRig, count: number) =>
  until(`${count} groups are judged`, async () => (await runs(rig))[0]?.heldOut.judged === count);

test('warns when the reward rises while the held-out score falls, with the figures, on the feed and in the log', async () => {
  const rig = await startReal(settings());
  const peer = await dial(rig);
  peer.send({ id: 'sub', op: 'subscribe' });
  await peer.answer('sub');
  for (let part = 0; part < 4; part++) {
    await send(
      rig,
      groupsOf(10, (group) => 1 + 0.05 * (10 * part + group)),
    );
    await judged(rig, 10 * (part + 1));
  }
  const { warning } = await peer.next('a warning', ({ event }) => event === 'warning');
  expect(warning).toMatchObject({ run: 'trainer', profile: 'quality', scorer: 'assay-lite', groups: 16 });
  expect(warning.reward.after - warning.reward.before).toBeCloseTo(0.8, 0);
  expect(warning.heldOut.after - warning.heldOut.before).toBeCloseTo(-0.8, 0);
  expect(warning.message).toContain('in the latest 16 groups the reward is');
  const [run] = await runs(rig);
  expect(run.warnings).toEqual([warning]); // the same evidence is told once
  expect(rig.lines).toMatchObject([{ level: 'warn', message: warning.message, groups: 16 }]);
  expect(run.heldOut).toMatchObject({ judged: 40, skipped: 0, agreement: 0 });
  const page = (await ask(rig, '/metrics')).body;
  expect(page).toContain('assay_run_warnings{run="trainer",profile="quality"} 1');
  expect(page).toContain('assay_run_score{run="trainer",profile="quality",aspect="assay-lite/quality"}');
});

test('says nothing of a run that stays as it is, nor of one whose scores rise together', async () => {
  const rig = await startReal({ ...settings(), monitor: { heldOut: 'test-bright', share: 1 } });
  const still = groupsOf(40, (group) => 2 + jitter(3 * group));
  await send(rig, still, { run: 'still' });
  await judged(rig, 40);
  const rising = groupsOf(40, (group) => 1 + 0.05 * group);
  await send(rig, rising, { run: 'rising' });
  await judged(rig, 40);
  const [latest, other] = await runs(rig);
  expect([latest.run, other.run]).toEqual(['rising', 'still']);
  expect([latest.warnings, other.warnings]).toEqual([[], []]);
  const { agreement, changes } = latest.heldOut;
  expect([agreement, changes[0].groups]).toEqual([1, 16]);
  for (const { certainty } of [changes[0].reward, changes[0].heldOut]) expect(certainty).toBeGreaterThan(4);
});

test('its figures are of the images: scores, groups, duplicates, guards, colour', async () => {
  const rig = await startReal({ rewards: { profile: 'quality', profiles: { quality } } });
  const same = image('2', { group: 'a', id: '2' });
  const { data, width, height } = flat([9, 9, 9]);
  const blank = { id: '3', group: 'a', prompt: '5', image: { format: 'rgb8', width, height, data } };
  const items = [image('4', { group: 'a', id: '0' }), image('2', { group: 'a', id: '1' }), same];
  await pack(rig, '/v1/rewards', { items: [...items, { ...same, id: 'again' }, blank], run: 'r' });
  const [run] = await runs(rig);
  expect(run).toMatchObject({ run: 'r', profile: 'quality', images: 5, heldOut: null, warnings: [] });
  expect(run.recent).toEqual(run.start);
  expect(run.recent).toMatchObject({
    images: 5,
    reward: 2.5,
    aspects: { 'assay-lite/quality': 3 },
    zeroVariance: 0,
    duplicates: expect.closeTo(0.2),
    guarded: 0.2,
    missing: 0.2,
    failed: 0,
  });
  expect(run.recent.withinGroups).toBeCloseTo(Math.sqrt(0.75));
  expect(run.recent.colour.saturation).toBeGreaterThan(0);
  const answer = await pack(rig, '/v1/rewards', { items: [blank] });
  expect(answer.body.results[0].colour).toEqual({ saturation: 0, colourfulness: 0 });
});

test('a request that is sent again is counted once; a share of the groups is judged, after the answer', async () => {
  const rig = await startReal(settings(0.25));
  const items = groupsOf(8, () => 2);
  await send(rig, items, { idempotencyKey: 'k' });
  await judged(rig, 2);
  await send(rig, items, { idempotencyKey: 'k' });
  await send(
    rig,
    groupsOf(4, () => 2),
  );
  await judged(rig, 3);
  expect((await runs(rig))[0]).toMatchObject({ images: 24, heldOut: { judged: 3, skipped: 0 } });
});

test('a held-out scorer that fails costs no reward, and is counted', async () => {
  const rig = await startReal({ ...settings(), monitor: { heldOut: 'nobody', share: 1 } });
  await send(
    rig,
    groupsOf(3, () => 2),
  );
  await until('they are skipped', async () => (await runs(rig))[0]?.heldOut.skipped === 3);
  expect((await runs(rig))[0].recent.reward).toBeGreaterThan(2);
  expect(rig.lines).toMatchObject([{ run: 'trainer', message: 'the held-out scorer cannot judge a run' }]);
});

test('runs are bounded: the one that was silent longest is forgotten', async () => {
  const rig = await startReal();
  for (let i = 0; i < 70; i++) await pack(rig, '/v1/rewards', { items: [image('1')], run: `run-${i}` });
  const names = (await runs(rig)).map(({ run }) => run);
  expect([names.length, names[0], names.at(-1)]).toEqual([64, 'run-69', 'run-6']);
});

test.each([['a b'], [''], ['x'.repeat(65)]])('a run called %j is refused', async (run) => {
  const rig = await startReal();
  const reply = await pack(rig, '/v1/rewards', { items: [image('1')], run });
  expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
  expect(reply.body.error.message).toContain('run: expected 1 to 64 letters');
});
