/** Studies of clients: asked and told over real sockets, kept in the data folder. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../../support/files.ts';
import { ask as request } from './harness.ts';
import { image, pack, type RealRig, startReal } from './real.ts';

const PLAN = { prompt: '3', images: 3, seed: 7 };

const begin = (rig: RealRig, spec: object = PLAN, more: object = {}) =>
  pack(rig, '/v1/studies', { spec, ...more });
const ask = async (rig: RealRig, id: string, body: object = {}) =>
  (await pack(rig, `/v1/studies/${id}/ask`, body)).body;
const tell = (rig: RealRig, id: string, body: object) => pack(rig, `/v1/studies/${id}/tell`, body);
const state = async (rig: RealRig, id: string) => (await request(rig, `/v1/studies/${id}`)).body;
const told = (reward: number, name = 'a.png') => ({ images: [{ image: name, values: { reward } }] });

describe('a study', () => {
  it('is asked and told to its end, and says which images are the best', async () => {
    const rig = await startReal();
    const { study: id } = (await begin(rig, { ...PLAN, keep: 2 })).body;
    for (const [i, score] of ['2', '5', '1'].entries()) {
      const [trial] = (await ask(rig, id)).trials;
      expect(trial).toMatchObject({ id: `t${i + 1}`, prompt: '3', parameters: {}, stage: { effort: 1 } });
      const { body } = await tell(rig, id, {
        trial: trial.id,
        items: [image(score, { source: `${score}.png` })],
      });
      expect(body.results[0]).toMatchObject({ prompt: score, reward: Number(score) / 5 });
    }
    const { done, winners, open, spent, asked } = await state(rig, id);
    expect({ open, spent, asked }).toEqual({ open: [], spent: 3, asked: 3 });
    expect(done.reason).toBe('images');
    expect(winners.map((w: { image: string }) => w.image)).toEqual(['5.png', '2.png']);
    expect(winners[0]).toMatchObject({ value: 1, scored: { values: { quality: 5 } } });
  });

  it('judges by the prompt of the trial, and by all scorers that the pick names', async () => {
    const rig = await startReal();
    const { study: id } = (await begin(rig, { ...PLAN, pick: ['reward', 'test-bright.quality'] })).body;
    await ask(rig, id);
    const { image: pixels } = image(null) as { image: object };
    const { body } = await tell(rig, id, { trial: 't1', items: [{ image: pixels }] });
    expect(body.results[0].prompt).toBe('3');
    expect((await state(rig, id)).winners[0]).toMatchObject({
      ...{ image: 't1', scored: { values: { reward: 0.6, 'test-bright.quality': 1.5 } } },
    });
  });

  it('spends nothing on images without the measure that it picks by', async () => {
    const rig = await startReal();
    const { study: id } = (await begin(rig, { ...PLAN, pick: ['beauty'] })).body;
    await ask(rig, id);
    const scored = await tell(rig, id, { trial: 't1', items: [image('2')] });
    expect(scored.body.error).toMatchObject({ code: 'MEASURE_MISSING' });
    const other = await tell(rig, id, { trial: 't1', ...told(0.4) });
    expect(other.body.error).toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('it has reward, and the study picks by beauty'),
    });
    expect(await state(rig, id)).toMatchObject({ open: [{ id: 't1' }], winners: [] });
    const images = [{ image: 'a.png', values: { beauty: 0.4 } }];
    await tell(rig, id, { trial: 't1', images });
    expect((await state(rig, id)).winners[0].value).toBe(0.4);
  });

  it('survives the daemon, and gives what was asked for and not told first', async () => {
    const settings = { dataDir: tempFolder() };
    const first = await startReal(settings);
    const { study: id } = (await begin(first)).body;
    const { trials } = await ask(first, id, { n: 2 });
    await tell(first, id, { trial: 't1', idempotencyKey: 'once', ...told(0.4) });
    await first.runtime.close();

    const second = await startReal(settings);
    expect(await ask(second, id, { held: [] })).toEqual({ trials: [trials[1]], done: null });
    const again = await tell(second, id, { trial: 't1', idempotencyKey: 'once', ...told(0.9) });
    expect(again.body).toMatchObject({ again: true });
    expect((await state(second, id)).winners[0].value).toBe(0.4);
    expect((await ask(second, id, { held: ['t2'] })).trials[0].id).toBe('t3');
    expect((await ask(second, id, { held: ['t2', 't3'] })).trials).toEqual([]);
  });

  it('is judged by the scorer that it was begun with, also where the daemon has another one later', async () => {
    const settings = { dataDir: tempFolder() };
    const first = await startReal(settings);
    const { study: id } = (await begin(first)).body;
    await ask(first, id, { n: 2 });
    const { body } = await tell(first, id, { trial: 't1', items: [image('2')] });
    await first.runtime.close();

    const second = await startReal({ ...settings, scorer: 'test-bright' });
    const later = await tell(second, id, { trial: 't2', items: [image('4')] });
    expect(body.results[0].scorer.id).not.toBe('test-bright');
    expect(later.body.results[0].scorer).toEqual(body.results[0].scorer);
  });

  it('counts the same telling once, also of two at a time', async () => {
    const rig = await startReal();
    const { study: id } = (await begin(rig)).body;
    await ask(rig, id);
    const body = { trial: 't1', items: [image('2')] };
    const answers = await Promise.all([tell(rig, id, body), tell(rig, id, body)]);
    expect(answers.map((answer) => answer.body.again).toSorted()).toEqual([false, true]);
    expect(rig.judged).toEqual(['2']);
    const other = await tell(rig, id, { trial: 't1', items: [image('2')] });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'TRIAL_TOLD' } } });
    await ask(rig, id);
    for (const isAgain of [false, true])
      expect((await tell(rig, id, { trial: 't2', ...told(0.5) })).body.again).toBe(isAgain);
    expect((await state(rig, id)).spent).toBe(2);
    const journal = readFileSync(join(rig.runtime.config.dataDir, 'studies', id, 'journal.jsonl'), 'utf8');
    expect(journal.match(/"told"/g)).toHaveLength(2);
  });

  it('never takes a failure for a score', async () => {
    const rig = await startReal();
    const { study: id } = (await begin(rig)).body;
    await ask(rig, id, { n: 2 });
    const unscored = await tell(rig, id, { trial: 't1', items: [image('fail')] });
    expect(unscored).toMatchObject({ status: 503, body: { error: { code: 'TRIAL_UNSCORED' } } });
    expect(unscored.headers['retry-after']).toBeDefined();
    expect((await state(rig, id)).open).toHaveLength(2);
    // one that no try will read
    expect((await tell(rig, id, { trial: 't1', items: [{ image: Buffer.from('no image') }] })).status).toBe(
      200,
    );
    await tell(rig, id, { trial: 't2', failed: { code: 'OUT_OF_MEMORY', message: 'no room' } });
    expect(await state(rig, id)).toMatchObject({ spent: 0, open: [], winners: [] });
  });

  it('goes on under its own id with the same plan, and with no other', async () => {
    const rig = await startReal();
    const { seed: _, ...spec } = PLAN;
    const first = (await begin(rig, spec, { study: 'mine' })).body;
    await ask(rig, 'mine');
    expect((await begin(rig, spec, { study: 'mine' })).body).toMatchObject({ spec: first.spec, asked: 1 });
    const other = await begin(rig, { ...spec, images: 4 }, { study: 'mine' });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'STUDY_TAKEN' } } });
    expect(other.body.error.message).toContain('this spec');
  });
});

describe('what does not fit', () => {
  it.each([
    [{ ...PLAN, images: 501 }, {}, 'spec.images: '],
    [{ ...PLAN, strategy: { name: 'luck' } }, {}, 'spec.strategy.name: '],
    [{ ...PLAN, pick: Array.from({ length: 17 }, () => 'reward') }, {}, 'pick'],
    [{ ...PLAN, imagse: 3 }, {}, 'imagse'],
    [{ ...PLAN, prompt: 'x'.repeat(2 ** 18) }, {}, 'spec'],
    [PLAN, { study: '../escape' }, 'study'],
  ])('is refused, and named', async (spec, more, field) => {
    const rig = await startReal();
    const { status, body } = await begin(rig, spec, more);
    expect([status, body.error.code]).toEqual([422, 'STUDY_INVALID']);
    expect(body.error.message).toContain(field);
  });

  it('is answered with its code', async () => {
    const rig = await startReal({ limits: { maxStudies: 1 } });
    mkdirSync(join(rig.runtime.config.dataDir, 'secret'));
    for (const id of ['none', '..%2Fsecret', 'A'])
      expect((await request(rig, `/v1/studies/${id}`)).body.error.code).toBe('STUDY_UNKNOWN');
    expect((await begin(rig, PLAN, { scorer: 'nobody' })).body.error.code).toBe('UNKNOWN_SCORER');
    const { study: id } = (await begin(rig)).body;
    expect((await begin(rig)).body.error.code).toBe('STUDIES_FULL');
    expect((await tell(rig, id, { trial: 't9', ...told(1) })).body.error.code).toBe('TRIAL_UNKNOWN');
    const bad = [
      {},
      { ...told(1), items: [image('1')] },
      { images: [{ image: 'a', values: { reward: 'high' } }] },
    ];
    for (const body of bad)
      expect((await tell(rig, id, { trial: 't1', ...body })).body.error.code).toBe('BAD_REQUEST');
    expect((await ask(rig, id, { n: 0 })).error.code).toBe('BAD_REQUEST');
    expect(readdirSync(join(rig.runtime.config.dataDir, 'studies', id))).toContain('client-study.json');
  });

  it('is refused while another daemon has the folder', async () => {
    const settings = { dataDir: tempFolder() };
    await begin(await startReal(settings));
    expect((await begin(await startReal(settings))).body.error.code).toBe('STUDY_HELD');
  });
});
