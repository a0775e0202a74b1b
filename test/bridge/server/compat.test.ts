/** Routes in the shape of other reward servers, with bodies as their trainers send them. */
import { afterEach, describe, expect, test } from 'vitest';
import { flat, picture, png } from '../../support/images.ts';
import { ask, closeAll, post } from './harness.ts';
import { startReal } from './real.ts';

afterEach(closeAll);

const encoded = async (pixels = picture(64, 64)): Promise<string> => (await png(pixels)).toString('base64');
const profiles = {
  plain: { terms: [{ aspect: 'quality' }] },
  worst: { terms: [{ aspect: 'quality' }], missing: 'worst' },
  floor: { terms: [{ aspect: 'quality' }], missing: { floor: -1 } },
};
const startWith = (compat: string[], profile = 'plain') =>
  startReal({ rewards: { compat, profile, profiles } });

test('are off unless they are switched on', async () => {
  const rig = await startReal();
  for (const path of ['/score', '/compute']) expect((await post(rig, path, {})).status).toBe(404);
  for (const path of ['/health', '/rewards']) expect((await ask(rig, path)).status).toBe(404);
  const one = await startWith(['unirl']);
  expect([(await post(one, '/compute', {})).status, (await ask(one, '/health')).status]).toEqual([404, 200]);
  expect(Object.keys((await ask(one, '/openapi.json')).body.paths)).toContain('/score');
});

describe('Flow-Factory', () => {
  /** As its remote client writes it. */
  const payload = async (prompt: string[], image?: string[]) => ({
    prompt,
    image: image ?? (await Promise.all(prompt.map(() => encoded()))),
    ...{ video: null, condition_images: null, condition_videos: null, kwargs: null },
  });

  test('gets one number an image', async () => {
    const rig = await startWith(['flow-factory']);
    expect((await ask(rig, '/health')).body.status).toBe('ok');
    const reply = await post(rig, '/compute', await payload(['4', '1']));
    expect([reply.status, reply.body]).toEqual([200, { rewards: [0.8, 0.2] }]);
    const { prompt, image } = await payload(['3']);
    expect((await post(rig, '/compute', { prompts: prompt, images: image })).body).toEqual({
      rewards: [0.6],
    });
  });

  test.each([
    ['plain', 422, 'REWARD_MISSING'],
    ['worst', 200, [0.8, 0.2, 0.2]],
    ['floor', 200, [0.8, 0.2, -1]],
  ])(
    'gets for an image without a reward what the profile %s says, and never a made-up 0',
    async (profile, status, outcome) => {
      const rig = await startWith(['flow-factory'], profile);
      const images = [await encoded(), await encoded(), await encoded(flat([9, 9, 9]))];
      const reply = await post(rig, '/compute', await payload(['4', '1', '5'], images));
      expect([reply.status, reply.body.rewards ?? reply.body.error.code]).toEqual([status, outcome]);
    },
  );

  test('is told to come again when a scorer failed', async () => {
    const rig = await startWith(['flow-factory']);
    const reply = await post(rig, '/compute', await payload(['4', 'fail']));
    expect([reply.status, reply.body.error.code]).toEqual([503, 'REWARD_FAILED']);
    expect(reply.body.error.message).toContain('1 of 2 images have no reward yet; image 1: INFERENCE_FAILED');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  });

  test.each([
    [{ prompt: ['a'], image: [] }, 'expected as many images as prompts'],
    [{ prompt: ['a'], image: null, video: [['AAAA']] }, 'video'],
    [{ prompt: ['a'], image: ['AAAA'], condition_images: [['AAAA']] }, 'condition_images'],
    [{ prompt: [7], image: ['AAAA'] }, 'prompt[0]'],
    [{}, 'expected as many images as prompts'],
    [[], 'the message'],
  ])('is refused %j', async (body, words) => {
    const reply = await post(await startWith(['flow-factory']), '/compute', body);
    expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
    expect(reply.body.error.message).toContain(words);
  });
});

describe('UniRL', () => {
  /** As its remote backend writes one image. */
  const one = async (text: string, more: object = {}) => ({
    history: [{ text, image_b64: await encoded() }],
    required_rewards: ['plain'],
    metadata: { any: ['thing'] },
    ...{ request_id: `r-${text}`, sample_id: null, group_id: null, source_rank: 0, policy_version: null },
    ...{ scorer_version: null, idempotency_key: null },
    ...more,
  });
  const send = async (rig: Awaited<ReturnType<typeof startWith>>, ...requests: object[]) =>
    post(rig, '/score', { protocol_version: '1', requests });

  test('finds its rewards by name: profiles and scorers', async () => {
    const rig = await startWith(['unirl']);
    const { body } = await ask(rig, '/health');
    expect(body).toMatchObject({ status: 'ok', rewards: { plain: ['reward'], 'assay-lite': ['reward'] } });
    expect((await ask(rig, '/rewards')).body.rewards).toEqual(Object.keys(body.rewards));
  });

  test('gets each reward of each request, and who asked', async () => {
    const rig = await startWith(['unirl']);
    const both = await one('4', { required_rewards: ['plain', 'test-bright'], group_id: 'g' });
    const { status, body } = await send(rig, both, await one('1'));
    expect(status).toBe(200);
    expect(body.results).toEqual([
      { plain: { reward: 0.8 }, 'test-bright': { reward: 0.4 } },
      { plain: { reward: 0.2 } },
    ]);
    expect(body.errors).toEqual([{}, {}]);
    expect(body.identities).toMatchObject([
      { request_id: 'r-4', group_id: 'g', source_rank: 0, scorer_version: null },
      { request_id: 'r-1', group_id: null, scorer_version: 'assay-lite@1.0.0', idempotency_key: null },
    ]);
    expect(body.protocol_version).toBe('1');
  });

  test('gets an error, and no value, for what has no reward', async () => {
    const rig = await startWith(['unirl']);
    const video = await one('2', { history: [{ text: 'a', video_path: '/etc/passwd' }] });
    const broken = await one('2', { history: [{ text: '2', image_b64: 'AAAA' }] });
    const { status, body } = await send(rig, await one('fail'), video, broken, await one('1'));
    expect(status).toBe(200);
    expect(body.results).toEqual([{}, {}, {}, { plain: { reward: 0.2 } }]);
    expect(body.errors[0].plain).toMatch(/^leave-out: INFERENCE_FAILED: /);
    expect(body.errors[1].plain).toContain('no image_b64 in its last turn');
    expect(body.errors[2].plain).toContain('IMAGE_UNSUPPORTED');
    expect(body.errors[3]).toEqual({});
  });

  test('judges the last turn, and says what stands for a missing reward', async () => {
    const rig = await startWith(['unirl']);
    const turns = [await one('9'), await one('3')].flatMap(({ history }) => history);
    const blank = { text: '5', image_b64: await encoded(flat([9, 9, 9])) };
    const required_rewards = ['floor'];
    const { body } = await send(
      rig,
      await one('3', { history: turns }),
      await one('5', { history: [blank], required_rewards }),
    );
    expect(body.results).toEqual([{ plain: { reward: 0.6 } }, { floor: { reward: -1 } }]);
    expect(body.errors[1].floor).toMatch(/^floor: blank: /);
  });

  test('is not scored twice for the same keys', async () => {
    const rig = await startReal({ rewards: { compat: ['unirl'], profiles }, resultCache: 0 });
    const requests = [await one('1', { idempotency_key: 'k1' }), await one('2', { idempotency_key: 'k2' })];
    const first = await send(rig, ...requests);
    expect((await send(rig, ...requests)).body).toEqual(first.body);
    expect(rig.judged.toSorted()).toEqual(['1', '2']);
    expect((await rig.runtime.history({ limit: 10 })).entries).toHaveLength(2);
  });

  test.each([
    [{ protocol_version: '2', requests: [] }, 400, 'protocol_version'],
    [{ requests: [{ history: [], required_rewards: ['plain'] }] }, 400, 'requests[0].history'],
    [{ requests: [{ history: [{ text: 'a' }], required_rewards: ['plane'] }] }, 404, 'did you mean "plain"?'],
    [{ requests: [{ history: [{ text: 'a' }], required_rewards: ['__proto__'] }] }, 404, 'no reward profile'],
    [{ requests: [], grad_mode: true }, 400, 'grad_mode'],
  ])('is refused %j', async (body, status, words) => {
    const reply = await post(await startWith(['unirl']), '/score', body);
    expect(reply.status).toBe(status);
    expect(reply.body.error.message).toContain(words);
  });

  test('asks for nothing, and gets it', async () => {
    const { status, body } = await send(await startWith(['unirl']));
    expect([status, body]).toEqual([200, { results: [], errors: [], identities: [], protocol_version: '1' }]);
  });
});
