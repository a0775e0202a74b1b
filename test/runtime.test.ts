/** The parts put together: whatever judges, results are sealed, recorded and told once. */
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { fail } from '../src/errors/error.ts';
import { Pipeline } from '../src/pipeline.ts';
import { catalogOf } from '../src/reward/model/catalog.ts';
import { openRuntime } from '../src/runtime.ts';
import type { AspectScore } from '../src/types/aspect.ts';
import type { Pixels } from '../src/types/image.ts';
import type { Judge, Judgement, Judges } from '../src/types/judge.ts';
import type { ScoreItem, ScoreRequest } from '../src/types/request.ts';
import { tempFolder } from './support/files.ts';
import { flat, picture, png } from './support/images.ts';

const never = new AbortController().signal;
const config = () =>
  loadConfig({ dataDir: tempFolder(), scorer: 'assay-lite', logLevel: 'silent' }, undefined, {});

const item = (id: string, { data, width, height } = picture(64, 64), prompt = 'a cat'): ScoreItem => ({
  ...{ id, source: null, prompt },
  fetch: () => ({ kind: 'raw', format: 'rgb8', bytes: data, width, height }),
});

const request = (items: ScoreItem[], rest: Partial<ScoreRequest> = {}): ScoreRequest => ({
  ...{ items, client: 'test', signal: never },
  ...rest,
});

const quality = (score: number): AspectScore => ({
  ...{ score, range: [0, 5], percentile: score / 5, interval: [score, score], coverage: 0.9 },
});

/** A judge that no model folder knows of: it says what its prompt says. */
const toy: Judge = {
  stamp: { id: 'toy', version: '1.0.0', variant: 'none', weights: 'sha256:0', calibration: 'sha256:0' },
  domain: { minSide: 2, maxAspectRatio: 4 },
  fault: null,
  async judge(_pixels, prompt): Promise<Judgement> {
    if (prompt === 'fail') throw fail('INFERENCE_FAILED', { scorer: 'toy', reason: 'it is a toy' });
    const score = Number(prompt);
    const aspects = { quality: quality(score), alignment: null, authenticity: null };
    return { aspects, reward: score / 5, foreign: [], notes: [], queueMs: 0, inferMs: 1 };
  },
};
const toys: Judges = { open: async () => toy, width: 4 };

it('the pipeline asks any judge, and one failure is one item’s', async () => {
  const pipeline = new Pipeline(toys, config());
  const items = ['4', 'fail', '1'].map((prompt) => item(prompt, picture(64, 64), prompt));
  const results = await pipeline.score(request([...items, item('flat', flat([9, 9, 9]), '5')]));
  expect(results.map((r) => r.aspects?.quality?.score)).toEqual([4, undefined, 1, 5]);
  expect(results.map((r) => r.error?.code)).toEqual([undefined, 'INFERENCE_FAILED', undefined, undefined]);
  expect(results.map((r) => r.reward)).toEqual([0.8, null, 0.2, null]);
  expect(results[3]!.guards[0]?.guard).toBe('blank');
  expect(results[0]!.scorer?.id).toBe('toy');
});

/** A runtime whose judge is the toy. */
function open(unrecorded?: string) {
  const catalog = { ...catalogOf(config()), ...toys, open: toys.open as never };
  const runtime = openRuntime({ config: config(), catalog, unrecorded });
  onTestFinished(() => runtime.close());
  const told: string[] = [];
  runtime.subscribe(({ id }, client) => told.push(`${id} ${client}`));
  const recorded = async () =>
    (await runtime.history({ limit: 10 })).entries.map(({ result }) => result.id).sort();
  return { runtime, told, recorded };
}

it('a score that is not a number is a failed item, in what is sent, told and recorded', async () => {
  const { runtime, recorded, told } = open();
  const { results, order, best } = await runtime.rank(
    request([item('nan', picture(64, 64), 'NaN'), item('good', picture(64, 64), '3')]),
  );
  expect(results.map((r) => [r.reward, r.error?.code])).toEqual([
    [null, 'INTERNAL'],
    [0.6, undefined],
  ]);
  expect([order, best]).toEqual([[1, 0], 1]);
  expect(await recorded()).toEqual(['good', 'nan']);
  expect(told).toEqual(['nan test', 'good test']);
});

it('a caller that records by itself is not recorded for, and what is cancelled is nobody’s', async () => {
  const { runtime, recorded, told } = open();
  await runtime.score(request([item('watched', picture(64, 64), '2')], { records: 'itself' }));
  const cancelled = AbortSignal.abort(fail('CANCELLED', {}));
  const [given] = await runtime.score(request([item('left')], { signal: cancelled }));
  expect(given!.error?.code).toBe('CANCELLED');
  expect([await recorded(), told]).toEqual([[], ['watched test']]);
});

it('an image that several scorers judge is fetched, decoded and guarded once', async () => {
  const seen = new Map<string, Pixels>();
  const open = async (name?: string): Promise<Judge> => ({
    ...toy,
    stamp: { ...toy.stamp, id: name! },
    judge(pixels, prompt, signal) {
      seen.set(`${name} ${prompt}`, pixels);
      return toy.judge(pixels, prompt, signal);
    },
  });
  const pipeline = new Pipeline({ ...toys, open }, config());
  let fetched = 0;
  const bytes = await png(picture(64, 64));
  const encoded = ['4', 'fail', '1'].map((prompt) => ({
    ...item(prompt, undefined, prompt),
    fetch: () => ({ kind: 'encoded' as const, bytes: fetched++ < 3 ? bytes : Buffer.alloc(0) }),
  }));
  const results = await pipeline.panel({ ...request(encoded), scorers: ['a', 'b', 'c'] });
  expect(fetched).toBe(3);
  for (const prompt of ['4', 'fail', '1']) {
    const [first, ...others] = ['a', 'b', 'c'].map((name) => seen.get(`${name} ${prompt}`)!);
    expect(first!.data).toHaveLength(64 * 64 * 3);
    for (const other of others) expect(other).toBe(first); // not equal pixels: the same
  }
  expect(seen.get('a 4')).not.toBe(seen.get('a 1'));
  expect(results.map((all) => all.map((r) => [r.scorer?.id, r.reward, r.error?.code]))).toEqual([
    ['a', 'b', 'c'].map((id) => [id, 0.8, undefined]),
    ['a', 'b', 'c'].map((id) => [id, null, 'INFERENCE_FAILED']),
    ['a', 'b', 'c'].map((id) => [id, 0.2, undefined]),
  ]);
  expect(pipeline.load()).toEqual({ waiting: 0, running: 0 });
});

it('a runtime that records nothing says why', async () => {
  const { runtime } = open('it is a test');
  await runtime.score(request([item('a', picture(64, 64), '1')]));
  expect(runtime.recording().state).toBe('off');
  await expect(runtime.history({ limit: 1 })).rejects.toThrow('it is a test');
});
