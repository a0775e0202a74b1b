/** `POST /v1/rewards`: profiles, several scorers, groups, and what is missing. */
import { afterEach, describe, expect, test } from 'vitest';
import { flat } from '../../support/images.ts';
import { ask, closeAll, dial, form, post } from './harness.ts';
import { image, pack, type RealRig, startReal } from './real.ts';

afterEach(closeAll);

const quality = { terms: [{ aspect: 'quality' }] };
const byQuality = (more: object = {}) => ({ ...quality, ...more });

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
type Json = any;

const rewardsOf = (body: Json): (number | null)[] => body.results.map((r: Json) => r.reward);

async function ok(rig: RealRig, body: object): Promise<Json> {
  const reply = await pack(rig, '/v1/rewards', body);
  expect([reply.status, reply.body.error]).toEqual([200, undefined]);
  return reply.body;
}

/** An image that trips the guard `blank`. */
const blank = (more: object = {}): object => {
  const { data, width, height } = flat([9, 9, 9]);
  return { prompt: '5', image: { format: 'rgb8', width, height, data }, ...more };
};

describe('a reward', () => {
  test('is, without a profile, that of the default scorer', async () => {
    const rig = await startReal();
    const item = image('3', { id: 'a' });
    const body = await ok(rig, { items: [item] });
    const [result] = (await pack(rig, '/v1/score', { items: [item] })).body.results;
    expect(body.profile).toMatchObject({ name: 'default', missing: 'leave-out' });
    expect(body.results[0]).toMatchObject({
      id: 'a',
      group: null,
      missing: null,
      truncated: false,
      error: null,
    });
    const { quality, alignment } = body.results[0].components.reward.aspects;
    expect([quality, alignment]).toEqual([result.aspects.quality, result.aspects.alignment]);
    expect(body.results[0].reward).toBe(body.results[0].components.reward.value);
    expect(body.scorers).toEqual([result.scorer]);
  });

  test('sums the terms of a profile of the config, each with its weight and scale, and shows them', async () => {
    const mix = {
      terms: [
        { name: 'good', aspect: 'quality', weight: 0.5 },
        { name: 'fits', aspect: 'alignment', weight: 2, scale: 'percentile' },
        { name: 'pick', scorer: 'test-bright', aspect: 'quality', weight: 1, scale: 'flow_grpo.pickscore' },
        {
          name: 'own',
          scorer: 'test-bright',
          aspect: 'quality',
          scale: { of: 'score', subtract: 1, divide: 2 },
        },
      ],
    };
    const rig = await startReal({ rewards: { profile: 'mix', profiles: { mix } } });
    const body = await ok(rig, { items: [image('4')] });
    const { components, reward, truncated } = body.results[0];
    const values = Object.entries(components).map(([name, c]: Json) => [name, c.weight, c.value]);
    // quality 4 of 5, alignment 1 of 5; half the quality by the other scorer, whose raw value is ten times that
    expect(values).toEqual([
      ['good', 0.5, 0.8],
      ['fits', 2, 0.2],
      ['pick', 1, 20 / 26],
      ['own', 1, 0.5],
    ]);
    expect(reward).toBeCloseTo(0.4 + 0.4 + 20 / 26 + 0.5, 12);
    expect(truncated).toBe(true);
    expect(components.pick.aspects.quality).toMatchObject({ score: 2, raw: 20, spread: 0.5 });
    expect(components.pick.scorer).toMatchObject({ id: 'test-bright', weights: 'sha256:test-bright' });
    expect(body.scorers.map((s: Json) => s.id)).toEqual(['assay-lite', 'test-bright']);
  });

  test.each([
    ['range', 0.6],
    ['score', 3],
    ['raw', 30],
    ['percentile', 0.6],
    ['flow_grpo.pickscore', 30 / 26],
    ['flow_grpo.clipscore', 1],
    ['flow_grpo.unifiedreward', 6],
    ['flow_grpo.deqa', 6],
    ['unirl.imagereward', 8],
    ['unirl.hpsv3', 2],
    ['unirl.pickscore', 30 / 26],
    ['unirl.clip', 1],
  ])('on the scale %s is %d for a score of 3 and a raw value of 30', async (scale, expected) => {
    const rig = await startReal();
    const body = await ok(rig, { profile: { terms: [{ aspect: 'quality', scale }] }, items: [image('3')] });
    expect(body.results[0].reward).toBeCloseTo(expected, 12);
    expect(body.profile.name).toBeNull();
  });

  test('of several scorers without a profile is their mean', async () => {
    const rig = await startReal();
    const body = await ok(rig, { scorers: ['assay-lite', 'test-bright'], items: [image(null)] });
    expect(rewardsOf(body)).toEqual([0.4]); // 2 of 5 by either
    expect(Object.keys(body.results[0].components)).toEqual(['assay-lite', 'test-bright']);
  });

  test('comes in JSON, in a form and over the websocket, too', async () => {
    const rig = await startReal();
    const { data, width, height } = flat([9, 9, 9]);
    const raw = { format: 'rgb8', width, height, data: Buffer.from(data).toString('base64') };
    const profile = byQuality({ guards: [] });
    const inJson = await post(rig, '/v1/rewards', { profile, items: [{ prompt: '4', image: raw }] });
    expect([inJson.status, rewardsOf(inJson.body)]).toEqual([200, [0.8]]);
    const parts = new FormData();
    parts.set('request', JSON.stringify({ profile, items: [{ id: 'x', group: 'g', prompt: '4' }] }));
    parts.set('file', new Blob([Buffer.from('no image')]), 'a.png');
    const inForm = await form(rig, '/v1/rewards', parts);
    expect(inForm.body.results[0]).toMatchObject({
      id: 'x',
      group: 'g',
      error: { code: 'IMAGE_UNSUPPORTED' },
    });
    const peer = await dial(rig);
    peer.send({ id: 1, op: 'rewards', profile, items: [{ prompt: '4', image: raw }] });
    expect(await peer.answer(1)).toMatchObject({ ok: true, results: [{ reward: 0.8 }] });
  });
});

describe('groups', () => {
  test('come with their figures, in the order of their first image', async () => {
    const rig = await startReal();
    const twin = image('1', { id: 'b1', group: 'b' });
    const items = [
      image('2', { id: 'a1', group: 'a' }),
      twin,
      image('4', { id: 'a2', group: 'a' }),
      { ...twin, id: 'b2' },
      blank({ id: 'b3', group: 'b' }),
      image('3', { id: 'none' }),
    ];
    const { groups, results } = await ok(rig, { profile: quality, items });
    expect(results.map((r: Json) => [r.id, r.group])).toEqual([
      ...[
        ['a1', 'a'],
        ['b1', 'b'],
        ['a2', 'a'],
        ['b2', 'b'],
        ['b3', 'b'],
        ['none', null],
      ],
    ]);
    const none = { duplicates: [], nearBlank: [] };
    expect(groups).toEqual([
      {
        group: 'a',
        count: 2,
        used: 2,
        mean: expect.closeTo(0.6),
        std: expect.closeTo(0.2),
        zeroVariance: false,
        ...none,
      },
      ...[
        {
          group: 'b',
          count: 3,
          used: 2,
          mean: 0.2,
          std: 0,
          zeroVariance: true,
          duplicates: [['b1', 'b2']],
          nearBlank: ['b3'],
        },
      ],
      { group: null, count: 1, used: 1, mean: 0.6, std: 0, zeroVariance: true, ...none },
    ]);
  });

  test('do not take images that never came for duplicates', async () => {
    const rig = await startReal();
    const empty = { ...image('1'), image: '' };
    const items = [image('1'), empty, empty];
    const { groups, results } = await ok(rig, { profile: quality, items });
    expect(results.map((r: Json) => r.error?.code)).toEqual([undefined, 'IMAGE_EMPTY', 'IMAGE_EMPTY']);
    expect(groups).toMatchObject([{ count: 3, used: 1, duplicates: [] }]);
  });

  test.each([
    ['zscore', [-1.2244, 0, 1.2244]],
    ['rank', [-1, 0, 1]],
    ['zscore-each', [-1.2244, 0, 1.2244]],
  ])('give advantages by %s when they are asked for', async (advantage, expected) => {
    const rig = await startReal();
    const group = (name: string, ...prompts: string[]) =>
      prompts.map((prompt) => image(prompt, { group: name }));
    const items = [...group('a', '1', '2', '3'), ...group('b', '4', '4')];
    const { results } = await ok(rig, { profile: quality, advantage, items });
    const advantages = results.map((r: Json) => r.advantage);
    for (const [i, value] of expected.entries()) expect(advantages[i]).toBeCloseTo(value, 3);
    expect(advantages.slice(3)).toEqual([0, 0]);
    expect((await ok(rig, { items })).results[0]).not.toHaveProperty('advantage');
  });

  test('weigh each component alike in zscore-each, however large it is', async () => {
    const rig = await startReal();
    const terms = [
      { name: 'large', aspect: 'quality', scale: { of: 'score', divide: 0.001 } },
      { name: 'small', aspect: 'alignment' },
    ];
    const items = ['1', '2', '3'].map((prompt) => image(prompt));
    const of = async (advantage: string) =>
      (await ok(rig, { profile: { terms }, advantage, items })).results.map((r: Json) => r.advantage);
    // quality rises as much as alignment falls
    for (const value of await of('zscore-each')) expect(value).toBeCloseTo(0, 2);
    expect((await of('zscore'))[2]).toBeCloseTo(1.2247, 3);
  });

  test('share a rank where rewards are equal', async () => {
    const rig = await startReal();
    const items = ['1', '1', '3', '4'].map((prompt) => image(prompt));
    const { results } = await ok(rig, { profile: quality, advantage: 'rank', items });
    const advantages = results.map((r: Json) => r.advantage);
    for (const [i, value] of [-2 / 3, -2 / 3, 1 / 3, 1].entries())
      expect(advantages[i]).toBeCloseTo(value, 12);
  });
});

describe('a missing reward', () => {
  const items = () => [
    image('2', { id: 'good' }),
    image('4', { id: 'better' }),
    blank({ id: 'blank' }),
    image('fail', { id: 'failed' }),
    image('NaN', { id: 'nan' }),
    { id: 'broken', prompt: '1', image: Buffer.from('no image') },
  ];

  test.each([
    ['leave-out', 'leave-out', null],
    ['worst', 'worst', 0.4],
    [{ floor: -1 }, 'floor', -1],
  ])('is what the profile says: %j', async (missing, applied, expected) => {
    const rig = await startReal();
    const { results, groups } = await ok(rig, {
      profile: byQuality({ missing }),
      items: items(),
      advantage: 'zscore',
    });
    expect(results.map((r: Json) => [r.id, r.reward, r.missing?.because, r.missing?.applied])).toEqual([
      ['good', 0.4, undefined, undefined],
      ['better', 0.8, undefined, undefined],
      ['blank', expected, 'guard', applied],
      ['failed', expected, 'failed', applied],
      ['nan', expected, 'failed', applied],
      ['broken', expected, 'failed', applied],
    ]);
    expect(results.map((r: Json) => r.error?.code)).toEqual([
      ...[undefined, undefined, undefined, 'INFERENCE_FAILED', 'INTERNAL', 'IMAGE_UNSUPPORTED'],
    ]);
    expect(results[2].missing.reason).toMatch(/^blank: all pixels have nearly one colour/);
    expect(groups[0].used).toBe(expected === null ? 2 : 6);
    expect(results.map((r: Json) => r.advantage === null)).toEqual(
      results.map((r: Json) => r.reward === null),
    );
  });

  test('has no worst of its group to stand for it where all are missing', async () => {
    const rig = await startReal();
    const { results, groups } = await ok(rig, { profile: byQuality({ missing: 'worst' }), items: [blank()] });
    expect(results[0]).toMatchObject({ reward: null, missing: { applied: 'leave-out' } });
    expect(groups[0]).toMatchObject({ used: 0, mean: null, std: null, zeroVariance: true });
  });

  test.each([quality, { terms: [{}] }])('is none where the profile %j lets a guard pass', async (profile) => {
    const rig = await startReal();
    const { results } = await ok(rig, { profile: { ...profile, guards: ['noise'] }, items: [blank()] });
    expect(results[0]).toMatchObject({
      reward: expect.any(Number),
      missing: null,
      guards: [{ guard: 'blank' }],
    });
  });

  test('is told apart where an aspect does not apply', async () => {
    const rig = await startReal();
    const profile = { terms: [{ aspect: 'alignment' }] };
    const { results } = await ok(rig, { profile, items: [image(null), image('1')] });
    expect(results[0]).toMatchObject({
      ...{ reward: null, error: null, components: { alignment: { value: null } } },
      missing: { because: 'not-applicable', reason: 'assay-lite gives no alignment without a prompt' },
    });
    expect(results[1].reward).toBe(0.8);
  });
});

describe('is refused', () => {
  test.each([
    [{ profile: 'defualt' }, 404, 'UNKNOWN_PROFILE', 'did you mean "default"?'],
    [{ profile: 'constructor' }, 404, 'UNKNOWN_PROFILE', 'known are default'],
    [{ profile: { terms: [] } }, 400, 'BAD_REQUEST', 'profile'],
    [{ profile: { terms: [{ scale: 'pickscore' }] } }, 400, 'BAD_REQUEST', 'profile.terms[0].scale'],
    [
      { profile: { terms: [{ scale: { of: 'raw', divide: 0 } }] } },
      400,
      'BAD_REQUEST',
      'another number than 0',
    ],
    [{ profile: { terms: [{ weight: 1e300 }] } }, 400, 'BAD_REQUEST', 'profile.terms[0].weight'],
    [{ profile: { terms: [{ scale: 'raw' }] } }, 400, 'BAD_REQUEST', 'profile.terms[0].scale'],
    [{ profile: { terms: [{}, {}] } }, 400, 'BAD_REQUEST', 'a name of its own for each term'],
    [{ profile: { terms: [{ name: '__proto__' }] } }, 400, 'BAD_REQUEST', 'profile.terms[0].name'],
    [{ profile: 'default', scorers: ['assay-lite'] }, 400, 'BAD_REQUEST', 'either profile or scorers'],
    [{ scorers: ['assay-lite', 'assay-lite'] }, 400, 'BAD_REQUEST', 'came twice'],
    [{ scorers: ['assay-light'] }, 404, 'UNKNOWN_SCORER', 'assay-lite'],
    [{ advantage: 'z' }, 400, 'BAD_REQUEST', 'advantage'],
  ])('%j', async (fields, status, code, words) => {
    const rig = await startReal();
    const reply = await pack(rig, '/v1/rewards', { ...fields, items: [image('1')] });
    expect([reply.status, reply.body.error.code]).toEqual([status, code]);
    expect(reply.body.error.message).toContain(words);
  });
});

test.each([
  ['an id twice', ['a', 'b', 'a'], 'items[2].id: "a" is that of items[0], too'],
  ['the number of another as an id', [undefined, '0'], 'items[1].id: "0" is that of items[0], too'],
])('%s is refused, since groups name their images by id', async (_, ids, words) => {
  const rig = await startReal();
  const reply = await pack(rig, '/v1/rewards', { items: ids.map((id) => image('1', { id })) });
  expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
  expect(reply.body.error.message).toContain(words);
});

test('profiles are listed', async () => {
  const rig = await startReal({ rewards: { profiles: { mine: quality } } });
  const { status, body } = await ask(rig, '/v1/profiles');
  expect([status, body.default, Object.keys(body.profiles)]).toEqual([200, 'default', ['default', 'mine']]);
  expect(body.profiles.mine).toEqual({
    terms: [{ aspect: 'quality', weight: 1, scale: 'range' }],
    ...{ missing: 'leave-out', guards: ['blank', 'noise', 'corrupt', 'out-of-domain'] },
  });
});

test('a request that is sent again is not scored again by any of its scorers', async () => {
  const rig = await startReal({ resultCache: 0 });
  const body = {
    scorers: ['assay-lite', 'test-bright'],
    idempotencyKey: 'k',
    items: [image('2'), image('3')],
  };
  const first = await ok(rig, body);
  expect(await ok(rig, body)).toEqual(first);
  expect(rig.judged).toHaveLength(4);
  expect((await rig.runtime.history({ limit: 10 })).entries).toHaveLength(4);
});

test('groups, raw values and cut prompts are in the history', async () => {
  const rig = await startReal();
  await ok(rig, { items: [image('4', { id: 'a', group: 'g' })] });
  const [entry] = (await rig.runtime.history({ limit: 1 })).entries;
  expect(entry!.result).toMatchObject({
    id: 'a',
    group: 'g',
    truncated: true,
    aspects: { quality: { raw: 40, spread: 0.5 } },
  });
});
