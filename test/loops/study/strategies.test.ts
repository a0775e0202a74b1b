/** Strategies, run to their end on values that are known: what they try, in which order, and what they find. */
import { describe, expect, it } from 'vitest';
import type { STRATEGIES } from '../../../src/loops/strategies/table.ts';
import { createStudy, type Study } from '../../../src/loops/study/study.ts';
import type { StudyEvent, Trial } from '../../../src/loops/study/types.ts';

/** A number that follows from the seed alone, 0..1. */
const luckOf = (seed: number): number => (Math.imul(seed, 0x45d9_f3b) >>> 8) / 2 ** 24;

type Value = (trial: Trial) => number | null;

/** Runs a study to its end; of those open, the last one is told first, so that no strategy can count on the order. */
function run(spec: object, value: Value, events: StudyEvent[] = [], depth = 3): Study {
  const study = createStudy({ version: 1, seed: 3, ...spec }, structuredClone(events));
  for (let n = 0; n < 1000; n++) {
    study.ask(depth - study.open().length);
    const trial = study.open().at(-1);
    if (!trial) break;
    study.tell(trial.id, {
      images: [{ image: trial.id, values: { reward: value(trial) } }],
      elapsedMs: study.trials.length,
    });
  }
  return study;
}

const range = { cfg: { low: 0, high: 10, whole: false } };
const arms = { prompt: { values: ['a', 'b', 'c', 'd'] } };
const SPECS: Record<keyof typeof STRATEGIES, object> = {
  'best-of-n': { images: 12, axes: { ...range, ...arms } },
  first: { images: 40, keep: 2, strategy: { name: 'first', least: 0.8 } },
  halving: { images: 12, strategy: { name: 'halving', efforts: [0.1, 0.4], cut: 3 } },
  neighbours: { images: 40, axes: range, strategy: { name: 'neighbours' } },
  variants: { images: 30, axes: arms, strategy: { name: 'variants' } },
};
const VALUE: Value = ({ seed, prompt, parameters: { cfg } }) =>
  luckOf(seed) - Math.abs(Number(cfg ?? 5) - 7) / 10 + (prompt === 'c' ? 0.3 : 0);

describe.each(Object.entries(SPECS))('%s', (_, spec) => {
  it('stays within its budget, and uses most of it', () => {
    const study = run(spec, VALUE);
    expect(study.done()).not.toBeNull();
    expect(study.spent()).toBeLessThanOrEqual(study.spec.images + 1e-9);
    if (study.done()!.reason !== 'keepers') expect(study.spent()).toBeGreaterThan(0.85 * study.spec.images);
  });

  it('finds the same whoever is faster, and wherever it was cut off', () => {
    const events: StudyEvent[] = [];
    const study = run(spec, VALUE);
    const seeds = (s: Study) =>
      s.trials.map(({ trial: { seed, parameters, stage } }) => ({ seed, parameters, stage }));
    const one = createStudy({ version: 1, seed: 3, ...spec });
    one.onEvent = (event) => void events.push(event);
    for (let [trial] = one.ask(); trial; [trial] = one.ask())
      one.tell(trial.id, { images: [{ image: trial.id, values: { reward: VALUE(trial) } }], elapsedMs: 1 });
    const best = (s: Study) => s.winners().map(({ trial: { seed, parameters } }) => ({ seed, parameters }));
    expect(best(one)[0]).toEqual(best(study)[0]);
    for (const cut of [3, 11, Math.floor(events.length / 2)])
      expect(seeds(run(spec, VALUE, events.slice(0, cut), 1))).toEqual(seeds(one));
  });
});

describe('halving', () => {
  it('finishes the seeds whose drafts are best', () => {
    const study = run({ images: 8, strategy: { name: 'halving' } }, ({ seed }) => luckOf(seed));
    const drafts = study.trials.filter(({ trial }) => trial.stage.effort < 1);
    const whole = study.trials.filter(({ trial }) => trial.stage.effort === 1);
    expect([drafts.length, whole.length]).toEqual([16, 4]);
    const best = drafts.map(({ trial }) => luckOf(trial.seed)).toSorted((a, b) => b - a);
    expect(whole.map(({ trial }) => luckOf(trial.seed))).toEqual(best.slice(0, 4));
    expect(study.winners()[0]!.trial).toMatchObject({
      stage: { effort: 1 },
      from: expect.stringMatching(/^t\d+$/),
    });
  });

  it('finishes drafts that have no value, where no other is left', () => {
    const study = run({ images: 2, strategy: { name: 'halving' } }, ({ stage, seed }) =>
      stage.effort < 1 ? null : luckOf(seed),
    );
    expect(study.winners()[0]!.trial.stage.effort).toBe(1);
  });

  it('keeps a draft where nothing was finished', () => {
    const study = createStudy({ version: 1, seed: 3, images: 8, strategy: { name: 'halving' } });
    for (const trial of study.ask(2))
      study.tell(trial.id, { images: [{ image: trial.id, values: { reward: 1 } }], elapsedMs: 1 });
    expect(study.winners()).toHaveLength(1);
  });
});

it('neighbours keep the seed of the best, and come nearer to what is best', () => {
  const study = run(
    { images: 60, axes: range, strategy: { name: 'neighbours' } },
    ({ parameters }) => -Math.abs(Number(parameters.cfg) - 7),
  );
  const near = study.trials.filter(({ trial }) => trial.from !== null);
  expect(near.length).toBeGreaterThan(15);
  const byId = new Map(study.trials.map(({ trial }) => [trial.id, trial]));
  for (const { trial } of near) expect(trial.seed).toBe(byId.get(trial.from!)!.seed);
  expect(Math.abs(Number(study.winners()[0]!.trial.parameters.cfg) - 7)).toBeLessThan(0.1);
});

it('neighbours go by chance, but for a try now and then, where near ones are no better', () => {
  const near = Array.from({ length: 20 }, (_, seed) => {
    const study = run(
      { seed, images: 60, axes: range, strategy: { name: 'neighbours' } },
      ({ seed, parameters }) => luckOf(seed ^ Math.round(Number(parameters.cfg) * 1e4)),
    );
    return study.trials.filter(({ trial }) => trial.from !== null).length;
  });
  expect(Math.min(...near)).toBeGreaterThan(0);
  expect(near.toSorted((a, b) => a - b)[10]).toBeLessThan(9);
});

it('variants share their seeds, and the better one gets more of them', () => {
  const study = run(SPECS.variants, VALUE);
  const of = (arm: string) =>
    study.trials.filter(({ trial }) => trial.prompt === arm).map(({ trial }) => trial.seed);
  expect(of('a').slice(0, 2)).toEqual(of('c').slice(0, 2));
  for (const arm of ['a', 'b', 'd']) expect(of('c').length).toBeGreaterThan(of(arm).length);
});

it.each([
  ['strategy.efforts', { strategy: { name: 'halving', efforts: [0.5, 0.2] } }],
  ['images', { images: 1, strategy: { name: 'halving' } }],
  ['axes', { strategy: { name: 'neighbours' } }],
  ['strategy.of', { strategy: { name: 'variants' } }],
  ['images', { images: 3, axes: arms, strategy: { name: 'variants' } }],
])('a strategy without what it needs is refused: %s', (field, spec) => {
  expect(() => createStudy({ version: 1, seed: 1, ...spec })).toThrow(
    expect.objectContaining({ code: 'STUDY_INVALID', details: expect.objectContaining({ field }) }),
  );
});
