/** The scoring path from bytes to verdict, with real ONNX graphs whose scores can be told in advance. */
import { setImmediate } from 'node:timers/promises';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ConfigInput, loadConfig } from '../src/config.ts';
import { fail } from '../src/errors/error.ts';
import { Pipeline } from '../src/pipeline.ts';
import { ranked } from '../src/results.ts';
import { Manners } from '../src/reward/manners.ts';
import { openCatalog } from '../src/reward/model/catalog.ts';
import type { ImageInput } from '../src/types/image.ts';
import type { Judge } from '../src/types/judge.ts';
import type { Policy } from '../src/types/policy.ts';
import type { ScoreItem } from '../src/types/request.ts';
import type { ScoreResult } from '../src/types/result.ts';
import { tempFolder } from './support/files.ts';
import { flat, picture, png, type Raw } from './support/images.ts';
import { brightnessGraph, meanGraph, type TestModel, wordTokenizer, writeModel } from './support/models.ts';
import type { Graph } from './support/onnx.ts';

const never = new AbortController().signal;
const rawInput = ({ data, ...size }: Raw): ImageInput => ({
  kind: 'raw',
  format: 'rgb8',
  bytes: data,
  ...size,
});
const item = (id: string, image: ImageInput, prompt: string | null = null): ScoreItem => ({
  id,
  source: null,
  prompt,
  fetch: () => image,
});
const request = (items: ScoreItem[], signal = never) => ({ items, client: 'test', signal });

async function open(model: TestModel = {}, settings: ConfigInput = {}) {
  const parent = tempFolder();
  writeModel(parent, model);
  const id = model.id ?? 'test-bright';
  const config = loadConfig({ scorer: id, dataDir: parent, ...settings }, undefined, {});
  const catalog = openCatalog({ ...config, modelDirs: [parent], defaultId: id });
  onTestFinished(() => catalog.close());
  return { catalog, pipeline: new Pipeline(catalog, config), config };
}

/** A picture shifted in brightness: each gives another score. */
const shades = (n: number): Raw[] =>
  Array.from({ length: n }, (_, k) => {
    const { data, ...size } = picture(64, 64);
    return { ...size, data: data.map((v) => Math.max(0, Math.min(255, v - 40 + 3 * k))) };
  });

describe('pipeline', () => {
  it('counts waiting for memory as waiting, not as decoding', async () => {
    const { pipeline } = await open();
    const create = { width: 4500, height: 4500, channels: 3 as const };
    const files = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7].map((i) =>
        sharp({ create: { ...create, background: { r: 9 * i, g: 9, b: 9 } } })
          .png()
          .toBuffer(),
      ),
    );
    const items = files.map((bytes, i) => item(String(i), { kind: 'encoded', bytes }));
    const results = await pipeline.score(request(items));
    const [last] = results.map(({ timings }) => timings!).sort((a, b) => b.totalMs - a.totalMs);
    expect(last!.queueMs).toBeGreaterThan(last!.totalMs / 3); // three fit at a time
  });

  it.each([
    ['share', 'shared', [false]],
    ['cpu', 'cpu', [true]],
  ] as const)(
    'with `gpu.whileSampling: %s` says what it did beside a busy host',
    async (way, done, where) => {
      const { catalog, config } = await open();
      const scorer = await catalog.open();
      const askedFor: boolean[] = [];
      const judge: Judge = {
        ...{ stamp: scorer.stamp, domain: scorer.domain, fault: null, gpu: 'or-cpu' },
        judge(pixels, prompt, signal, onCpu = false) {
          askedFor.push(onCpu);
          return scorer.judge(pixels, prompt, signal);
        },
      };
      const manners = new Manners(way);
      const leave = manners.beside({ name: 'toy', isBusy: true });
      const pipeline = new Pipeline({ open: async () => judge, width: 1 }, config, undefined, manners);
      const [[busy], [asked]] = await Promise.all([
        pipeline.score(request([item('a', rawInput(picture(64, 64)))])),
        pipeline.score({ ...request([item('b', rawInput(picture(48, 48)))]), client: 'toy' }),
      ]);
      expect(busy!.timings!.whileSampling).toBe(done);
      expect(asked!.timings).not.toHaveProperty('whileSampling');
      expect(askedFor.toSorted()).toEqual([false, ...where].toSorted());
      leave();
      const [idle] = await pipeline.score(request([item('c', rawInput(picture(40, 40)))]));
      expect(idle!.timings).not.toHaveProperty('whileSampling');
    },
  );

  it('scores as the graph says, with interval, percentile and reward', async () => {
    const { pipeline } = await open();
    const raw = picture(32, 32);
    const [result] = await pipeline.score(request([item('a', rawInput(raw))]));
    const expected = raw.data.reduce((sum, v) => sum + v, 0) / raw.data.length / 51;
    const quality = result!.aspects!.quality!;
    expect(quality.score).toBeCloseTo(expected, 4);
    expect(quality.interval![0]).toBeCloseTo(expected - 1, 4);
    expect(quality.interval![1]).toBeCloseTo(expected + 1, 4);
    expect(quality.percentile).toBeCloseTo(expected / 5, 3);
    expect(quality).toMatchObject({ range: [0, 5], coverage: 0.9 });
    expect(result!.reward).toBeCloseTo(expected / 5, 4);
    expect(result).toMatchObject({
      id: 'a',
      decision: 'accept',
      width: 32,
      height: 32,
      guards: [],
      error: null,
    });
    expect(result!.aspects).toMatchObject({ alignment: null, authenticity: null });
    expect(result!.scorer!.weights).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("decides by the manifest's policy where nothing is demanded, and by the config's where something is", async () => {
    const proposed = { aspects: { quality: { minScore: 2 } }, unsureWithinInterval: true };
    const model: TestModel = { edit: (manifest) => Object.assign(manifest, { policy: proposed }) };
    const shade = (level: number) => {
      const { data, ...size } = picture(32, 32);
      const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
      return rawInput({ ...size, data: data.map((v) => level * 51 + (v - mean) / 4) });
    };
    const items = [0.8, 2.2, 4].map((level, i) => item(String(i), shade(level)));
    const decisions = async (settings: ConfigInput, asked?: Policy) => {
      const { pipeline } = await open(model, settings);
      const results = await pipeline.score({ ...request(items), policy: asked });
      return results.map((r) => r.decision);
    };
    expect(await decisions({})).toEqual(['reject', 'unsure', 'accept']);
    expect(await decisions({ policy: { unsureWithinInterval: true } })).toEqual([
      'reject',
      'unsure',
      'accept',
    ]);
    expect(await decisions({ policy: { minReward: 0 } })).toEqual(['accept', 'accept', 'accept']);
    expect(
      await decisions({}, { aspects: { quality: { minScore: 3 } }, unsureWithinInterval: false }),
    ).toEqual(['reject', 'reject', 'accept']);
  });

  it('brings aspects to one scale before it weights them, where the manifest says how they vary', async () => {
    const standard = { quality: { mean: 2.5, deviation: 1 }, alignment: { mean: 2, deviation: 0.5 } };
    const { pipeline } = await open({
      text: true,
      edit: (manifest) => Object.assign(manifest.reward, { standard }),
    });
    const image = rawInput(picture(32, 32));
    const [long, short, none] = await pipeline.score(
      request([item('a', image, 'a red cat a red cat'), item('b', image, 'cat'), item('c', image)]),
    );
    const z = (result: ScoreResult | undefined) => {
      const { quality, alignment } = result!.aspects!;
      const parts = [quality!.score - 2.5, ...(alignment ? [(alignment.score - 2) / 0.5] : [])];
      return parts.reduce((sum, value) => sum + value, 0) / parts.length;
    };
    const share = (x: number) => 1 / (1 + Math.exp(-x * (1.5976 + 0.07056 * x * x)));
    for (const result of [long, short, none]) expect(result!.reward).toBeCloseTo(share(z(result)), 5);
    expect(long!.reward! - short!.reward!).toBeGreaterThan(0.2);
    expect(share(0)).toBe(0.5);
  });

  it('gives the same score at any batch size, order, thread count and run', async () => {
    const images = shades(32).map((raw, i) => item(String(i), rawInput(raw)));
    const scores = async (threads: number, items: ScoreItem[], oneByOne: boolean) => {
      const { pipeline } = await open({}, { threads, resultCache: 0 });
      const parts = oneByOne ? items.map((i) => [i]) : [items];
      const results = [];
      for (const part of parts) results.push(...(await pipeline.score(request(part))));
      return new Map(results.map((r) => [r.id, r.aspects!.quality!.score]));
    };
    const reference = await scores(1, images, true);
    for (const other of [await scores(1, images, false), await scores(2, [...images].reverse(), false)])
      for (const [id, score] of reference) expect(Math.abs(other.get(id)! - score)).toBeLessThan(1e-4);
  });

  it('fails a bad item alone', async () => {
    const { pipeline } = await open();
    const good = rawInput(picture(32, 32));
    const results = await pipeline.score(
      request([item('a', good), item('b', { kind: 'encoded', bytes: Buffer.from('text') }), item('c', good)]),
    );
    expect(results.map((r) => r.error?.code ?? 'ok')).toEqual(['ok', 'IMAGE_UNSUPPORTED', 'ok']);
    expect(results[1]).toMatchObject({ aspects: null, reward: null, decision: null });
  });

  it('fails alone what breaks a whole batch', async () => {
    // Looks the rounded score up in a table of three: a score of 3 or more is out of bounds, and the run fails.
    const fragile: Graph = {
      ...brightnessGraph,
      constants: { ...brightnessGraph.constants, table: { dims: [3], floats: [0.1, 0.2, 0.3] } },
      nodes: [
        ...brightnessGraph.nodes.slice(0, 3),
        { op: 'Cast', inputs: ['score'], outputs: ['index'], attributes: { to: 7 } },
        { op: 'Gather', inputs: ['table', 'index'], outputs: ['looked'], attributes: { axis: 0 } },
        { op: 'Reshape', inputs: ['looked', 'column'], outputs: ['scores'] },
        ...brightnessGraph.nodes.slice(4),
      ],
    };
    const { pipeline } = await open({ graph: fragile });
    const grey = (value: number) =>
      rawInput({ ...picture(32, 32), data: picture(32, 32).data.map((v, i) => (i % 7 ? value : v)) });
    const items = [20, 60, 250, 80, 240, 30].map((value, i) => item(String(i), grey(value)));
    const results = await pipeline.score(request(items));
    expect(results.map((r) => r.error?.code ?? 'ok')).toEqual([
      'ok',
      'ok',
      'INFERENCE_FAILED',
      'ok',
      'INFERENCE_FAILED',
      'ok',
    ]);
    expect((await pipeline.score(request([items[0]!])))[0]!.error).toBeNull();
  });

  it('refuses a graph whose output is not finite', async () => {
    const dividing: Graph = {
      ...brightnessGraph,
      nodes: brightnessGraph.nodes.map((n) =>
        n.op === 'Mul' && n.inputs[1] === 'scale' ? { ...n, op: 'Div', inputs: ['mean', 'zero'] } : n,
      ),
    };
    const { pipeline } = await open({ graph: dividing });
    await expect(pipeline.score(request([item('a', rawInput(picture()))]))).rejects.toMatchObject({
      code: 'MODEL_UNFIT',
      message: expect.stringMatching(/not finite/),
    });
  });

  it('gives no reward under a guard, and says why', async () => {
    const { pipeline } = await open();
    const [result] = await pipeline.score(request([item('a', rawInput(flat([0, 0, 0])))]));
    expect(result).toMatchObject({ reward: null, decision: 'reject', error: null });
    expect(result!.guards.map((g) => g.guard)).toEqual(['blank']);
    expect(result!.reasons[0]).toMatch(/^blank: /);
  });

  describe('with a scorer that knows its domain', () => {
    /** Bright images are foreign to it. */
    const knowing: TestModel = {
      graph: meanGraph,
      edit: (m) => {
        m.domain = { output: 'mean', limit: 150, reason: 'brighter than all it learned from' };
      },
    };
    const mean = ({ data }: Raw): number => data.reduce((sum, v) => sum + v, 0) / data.length;
    const dim = picture(32, 32);
    const bright: Raw = { ...dim, data: dim.data.map((v) => Math.min(255, v + 90)) };

    it('gives no reward to an image above the limit, says why, and shows its aspects', async () => {
      const { pipeline } = await open(knowing);
      const items = [dim, bright, bright].map((raw, i) => item(String(i), rawInput(raw)));
      const [near, ...foreign] = await pipeline.score(request(items));
      expect(near).toMatchObject({ guards: [], decision: 'accept' });
      const message = `brighter than all it learned from (${mean(bright).toFixed(2)}; the limit is 150.00)`;
      for (const result of foreign) {
        expect(result.guards).toEqual([{ guard: 'out-of-domain', message }]);
        expect(result).toMatchObject({ reward: null, decision: 'reject', error: null });
        expect(result.reasons).toEqual([`out-of-domain: ${message}`]);
        expect(result.aspects!.quality!.score).toBeCloseTo(mean(bright) / 51, 4);
      }
    });

    it('names each guard once, those of the pixels first', async () => {
      const { pipeline } = await open(knowing);
      const { data } = bright;
      const strip: Raw = { data: data.slice(0, 32 * 12 * 3), width: 32, height: 12 };
      const items = [strip, flat([250, 250, 250])].map((raw, i) => item(String(i), rawInput(raw)));
      const [long, blank] = await pipeline.score(request(items));
      expect(long!.guards).toHaveLength(1);
      expect(long!.guards[0]!.message).toMatch(/32×12 pixels/);
      expect(blank!.guards.map((g) => g.guard)).toEqual(['blank', 'out-of-domain']);
    });

    it('says so of a remembered image, too', async () => {
      const { pipeline } = await open(knowing);
      const score = async () => (await pipeline.score(request([item('a', rawInput(bright))])))[0]!;
      const first = await score();
      const again = await score();
      expect(again.timings!.inferMs).toBe(0);
      expect(again.guards).toEqual(first.guards);
      expect(again.reward).toBeNull();
    });
  });

  it('orders by reward, with what has none last', async () => {
    const { pipeline } = await open();
    const [dark, light] = [shades(30)[0]!, shades(30)[29]!];
    const items = [flat([9, 9, 9]), dark, light].map((raw, i) => item(String(i), rawInput(raw)));
    const ranking = ranked(await pipeline.score(request(items)));
    expect(ranking.order).toEqual([2, 1, 0]);
    expect(ranking.best).toBe(2);
    expect(ranked(await pipeline.score(request(items.slice(0, 1)))).best).toBeNull();
  });

  it('remembers identical requests, and only those', async () => {
    const { pipeline } = await open({ text: true, id: 'test-text' });
    const bytes = await png(picture(64, 64));
    const score = async (prompt: string | null) =>
      (await pipeline.score(request([item('a', { kind: 'encoded', bytes }, prompt)])))[0]!;
    const first = await score('a cat');
    expect(first.timings!.inferMs).toBeGreaterThan(0);
    const again = await score('a cat');
    expect(again.timings!.inferMs).toBe(0);
    expect(again.aspects).toEqual(first.aspects);
    expect((await score('a red cat')).timings!.inferMs).toBeGreaterThan(0);
  });

  describe('of identical images in flight', () => {
    const picked = rawInput(picture(48, 48));
    /** Scores images that arrive at once, each with a way to leave; how many were inferred shows in the timings. */
    const together = async (settings: ConfigInput, signals: AbortSignal[]) => {
      const { pipeline } = await open({}, settings);
      await pipeline.score(request([item('warm', rawInput(picture(32, 32)))]));
      const each = signals.map((signal, i) => pipeline.score(request([item(String(i), picked)], signal)));
      await setImmediate(); // they are inside, and the thread has not answered yet
      return { pipeline, results: each.map(async (one) => (await one)[0]!) };
    };
    const inferred = (results: ScoreResult[]) =>
      results.filter((r) => r.timings && r.timings.inferMs > 0).length;

    it('infers one, for all', async () => {
      const { results } = await together({}, [never, never, never, never]);
      const all = await Promise.all(results);
      expect(new Set(all.map((r) => r.aspects!.quality!.score)).size).toBe(1);
      expect(all.map((r) => r.id)).toEqual(['0', '1', '2', '3']);
      expect(inferred(all)).toBe(1);
    });

    it('infers each when results are not to be remembered', async () => {
      const { results } = await together({ resultCache: 0 }, [never, never]);
      expect(inferred(await Promise.all(results))).toBe(2);
    });

    it('goes on when the first who asked leaves', async () => {
      const leaving = new AbortController();
      const { pipeline, results } = await together({}, [leaving.signal, never]);
      leaving.abort();
      const [gone, stayed] = await Promise.all(results);
      expect(gone!.error!.code).toBe('CANCELLED');
      expect(stayed!.aspects!.quality!.score).toBeGreaterThan(0);
      expect(pipeline.load()).toEqual({ waiting: 0, running: 0 });
    });

    it('starts anew after all have left', async () => {
      const leaving = new AbortController();
      const { pipeline, results } = await together({}, [leaving.signal, leaving.signal]);
      leaving.abort();
      expect((await Promise.all(results)).map((r) => r.error!.code)).toEqual(['CANCELLED', 'CANCELLED']);
      expect((await pipeline.score(request([item('again', picked)])))[0]!.error).toBeNull();
    });
  });

  it('finds raw pixels that stand in another order', async () => {
    const { pipeline } = await open();
    const { data, width, height } = picture(96, 64);
    const planes = Uint8Array.from({ length: data.length }, (_, i) => {
      const [c, at] = [Math.floor(i / (width * height)), i % (width * height)];
      return data[at * 3 + c]!;
    });
    const raw = (bytes: Uint8Array, size: { width: number; height: number }): ImageInput => ({
      kind: 'raw',
      format: 'rgb8',
      bytes,
      ...size,
    });
    const size = { width, height };
    const swapped = { width: height, height: width };
    const images = [raw(data, size), raw(planes, size), raw(data, swapped), raw(planes, swapped)];
    const results = await pipeline.score(request(images.map((image, i) => item(String(i), image))));
    const corrupt = results.map((r) => r.guards.find(({ guard }) => guard === 'corrupt')?.message);
    expect(corrupt).toEqual([
      undefined,
      'the raw pixels look like one plane a channel (CHW), not like rows of pixels',
      'the raw pixels look like 96×64 pixels, width and height swapped, not like rows of pixels',
      'the raw pixels look like one plane a channel (CHW) of 96×64 pixels, not like rows of pixels',
    ]);
    expect(results.map((r) => r.reward === null)).toEqual([false, true, true, true]);
  });

  it('prefers the policy of the request', async () => {
    const { pipeline } = await open({}, { policy: { aspects: { quality: { minScore: 4.9 } } } });
    const policy = { aspects: {}, unsureWithinInterval: false };
    const [result] = await pipeline.score({ ...request([item('a', rawInput(picture()))]), policy });
    expect(result!.decision).toBe('accept');
  });

  it('applies the policy of the config', async () => {
    const { pipeline } = await open({}, { policy: { aspects: { quality: { minScore: 4.9 } } } });
    const [result] = await pipeline.score(request([item('a', rawInput(picture()))]));
    expect(result!.decision).toBe('reject');
    expect(result!.reasons[0]).toMatch(/^quality \d\.\d\d is below 4\.90$/);
  });

  it('answers BUSY when the queue is full, and cancels what waits', async () => {
    const { pipeline } = await open({}, { limits: { maxQueue: 4 } });
    const gate = Promise.withResolvers<ImageInput>();
    const slow = (id: string): ScoreItem => ({ id, source: null, prompt: null, fetch: () => gate.promise });
    const controller = new AbortController();
    const running = pipeline.score(request(Array.from({ length: 16 }, (_, i) => slow(`r${i}`))));
    await expect.poll(() => pipeline.load().running).toBe(16);
    const waiting = pipeline.score(
      request(
        Array.from({ length: 3 }, (_, i) => slow(`w${i}`)),
        controller.signal,
      ),
    );
    await expect.poll(() => pipeline.load().waiting).toBe(3);
    await expect(pipeline.score(request([slow('x'), slow('y')]))).rejects.toMatchObject({
      code: 'BUSY',
      message: 'the queue is full (3 images wait)',
      retryAfterMs: 1000,
    });
    controller.abort();
    expect((await waiting).map((r) => r.error!.code)).toEqual(Array(3).fill('CANCELLED'));
    gate.resolve(rawInput(picture(32, 32)));
    expect((await running).every((r) => r.error === null)).toBe(true);
    expect(pipeline.load()).toEqual({ waiting: 0, running: 0 });
  });

  it.each(['toString', 'constructor', '__proto__', 'fp64'])('refuses %s as a variant', async (variant) => {
    await expect(open({}, { variant })).rejects.toMatchObject({ code: 'VARIANT_UNKNOWN' });
  });

  it('refuses for good what the queue could never hold', async () => {
    const { pipeline } = await open({}, { limits: { maxQueue: 4 } });
    const items = Array.from({ length: 21 }, (_, i) => item(String(i), rawInput(picture(32, 32))));
    await expect(pipeline.score(request(items))).rejects.toMatchObject({
      code: 'TOO_MANY_IMAGES',
      status: 413,
      message: 'the request has 21 images; this daemon never holds more than 20 at once',
      retryAfterMs: undefined,
    });
    expect(await pipeline.score(request(items.slice(1)))).toHaveLength(20);
  });

  it.each(['DEADLINE', 'DRAINING'] as const)('hands over what is finished at %s', async (code) => {
    const { pipeline } = await open();
    const gate = Promise.withResolvers<ImageInput>();
    const controller = new AbortController();
    const seen: string[] = [];
    const done = (id: string): ScoreItem => ({
      ...item(id, rawInput(picture(64, 64))),
      fetch: () => {
        seen.push(id);
        return rawInput(picture(64, 64));
      },
    });
    const stuck = { ...item('stuck', rawInput(picture(32, 32))), fetch: () => gate.promise };
    await pipeline.score(request([done('known')]));
    const scoring = pipeline.score(request([done('a'), stuck, done('b')], controller.signal));
    await expect.poll(() => [seen.length, pipeline.load().running]).toEqual([3, 1]);
    controller.abort(fail(code, { timeoutMs: 5 } as never));
    const results = await scoring;
    expect(results.map(({ id, error }) => [id, error?.code])).toEqual([
      ['a', undefined],
      ['stuck', code],
      ['b', undefined],
    ]);
    expect(results[0]!.reward).toBeGreaterThan(0);
    expect(pipeline.load().running).toBe(1); // what goes on keeps its place
    gate.resolve(rawInput(picture(32, 32)));
    await expect.poll(() => pipeline.load().running).toBe(0);
    expect(results[1]).toMatchObject({ aspects: null, reward: null, sha256: null });
  });

  it('serves a client with one image before the rest of a client with many', async () => {
    const { pipeline } = await open();
    const finished: string[] = [];
    const one = async (client: string, id: string) => {
      await pipeline.score({ items: [item(id, rawInput(picture(64, 64)))], client, signal: never });
      finished.push(client);
    };
    await pipeline.score(request([item('warm', rawInput(picture(32, 32)))]));
    const many = Array.from({ length: 200 }, (_, i) => one('many', `m${i}`));
    await one('single', 's');
    expect(finished.filter((c) => c === 'many').length).toBeLessThan(100);
    await Promise.all(many);
  });
});

describe('prompts', () => {
  it('reach the graph as tokens; long ones are cut and keep their end token', async () => {
    const { catalog, pipeline } = await open({ text: true, id: 'test-text' });
    const alignment = async (prompt: string | null) =>
      (await pipeline.score(request([item('a', rawInput(picture(32, 32)), prompt)])))[0]!.aspects!.alignment;
    expect((await alignment('a red cat'))!.score).toBeCloseTo((5 / 8) * 4, 4);
    expect(await alignment('')).toBeNull();
    expect((await alignment('漂亮 a 猫'))!.score).toBeCloseTo((5 / 8) * 4, 4);
    expect((await alignment('a '.repeat(50)))!.score).toBeCloseTo(4, 4);
    expect(await alignment(null)).toBeNull();
    expect((await catalog.open()).manifest.text!.contextLength).toBe(8);
  });

  it('that are cut are told, with how much of them was read', async () => {
    const { pipeline } = await open({ text: true, id: 'test-text' });
    const notesOf = async (prompt: string | null) =>
      (await pipeline.score(request([item('a', rawInput(picture(32, 32)), prompt)])))[0]!.notes;
    expect(await notesOf('a red cat')).toEqual([]);
    expect(await notesOf('a red cat a red cat')).toEqual([]);
    const cut = (of: string) => [`the scorer read 6 of the prompt's ${of} tokens; the rest was cut`];
    expect(await notesOf('a red cat a red cat dog')).toEqual(cut('7'));
    // again, from the memory of results
    expect(await notesOf('a red cat a red cat dog')).toEqual(cut('7'));
    expect(await notesOf('a '.repeat(4000))).toEqual(cut('more than 64'));
    expect(await notesOf(null)).toEqual([]);
  });

  it.each([
    ['狐狸', 'none'],
    ['é'.repeat(300), 'none'],
    ['a'.repeat(7900), 'none'],
    ['🦊, 猫!', 'none'],
    ['a 猫', '1 of 2'],
    ['a red cat, 猫 dog', '1 of 5'],
    ['a red! (dog)', 'all'],
  ])('of words that the scorer does not know are told, case %#', async (prompt, unknown) => {
    const punctuated = structuredClone(wordTokenizer);
    Object.assign(punctuated.model.vocab, { ',': 8, '!': 9, '(': 10, ')': 11 });
    const files = { 'tokenizer.json': JSON.stringify(punctuated) };
    const { pipeline } = await open({ text: true, id: 'test-text', files });
    const [found] = await pipeline.score(request([item('a', rawInput(picture(32, 32)), prompt)]));
    const notes = {
      all: [],
      none: ["the scorer knows none of the prompt's words: it judged the image as if there were no prompt"],
    }[unknown] ?? [
      `the scorer does not know ${unknown.replace('of', "of the prompt's")} words and parts of words`,
    ];
    expect(found!.notes).toEqual(notes);
    expect(found!.prompt).toBe(prompt);
    expect(found!.aspects!.alignment === null).toBe(unknown === 'none');
    expect(found!.aspects!.quality).not.toBeNull();
  });

  it('are required by a scorer that predicts nothing without', async () => {
    const { pipeline } = await open({
      text: true,
      id: 'test-text',
      edit: (m) => {
        m.aspects.quality = null;
        m.reward.weights = { alignment: 1 };
      },
    });
    const pixels = rawInput(picture(32, 32));
    const results = await pipeline.score(request([item('a', pixels), item('b', pixels, '猫')]));
    expect(results.map(({ error }) => [error!.code, error!.message])).toEqual([
      ['PROMPT_REQUIRED', 'scorer test-text needs a prompt and the item has none'],
      ['PROMPT_REQUIRED', 'scorer test-text needs a prompt and knows no word of the one that the item has'],
    ]);
  });
});
