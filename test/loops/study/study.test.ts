/** The core of studies: asks, tells, stops; the same events make the same study. */
import { describe, expect, it } from 'vitest';
import { createStudy, type Study } from '../../../src/loops/study/study.ts';
import type { Scored, StudyEvent, Trial } from '../../../src/loops/study/types.ts';

const spec = (more: object = {}) => ({ version: 1, seed: 7, prompt: 'a fox', images: 12, ...more });

/** A number that follows from the seed alone, 0..1. */
const luckOf = ({ seed }: Trial): number => (Math.imul(seed, 0x45d9_f3b) >>> 8) / 2 ** 24;

const scored = (trial: Trial, reward: number | null = luckOf(trial)): Scored => ({
  image: `${trial.id}.png`,
  values: { reward, quality: reward === null ? null : 1 - reward },
});

/** Tells a trial, as one that took a second. */
function tell(study: Study, trial: Trial, image: Scored = scored(trial)): void {
  study.tell(trial.id, { images: [image], elapsedMs: 1000 * Number(trial.id.slice(1)) });
}

/** Runs a study to its end, `depth` trials at a time. */
function finish(study: Study, depth = 1): Study {
  for (let open = study.ask(depth); open.length > 0; open = [...study.open(), ...study.ask(1)])
    tell(study, open[0]!);
  return study;
}

const idsOf = (study: Study): string[] => study.ranking().map(({ trial }) => trial.id);

describe('a study', () => {
  it('makes as many images as it may, and ranks them', () => {
    const study = finish(createStudy(spec({ keep: 3 })));
    expect(study.done()).toMatchObject({ reason: 'images' });
    expect(study.trials).toHaveLength(12);
    expect(new Set(study.trials.map(({ trial }) => trial.seed)).size).toBe(12);
    const values = study.winners().map(({ value }) => value);
    expect(values).toEqual(
      study.trials
        .map(({ trial }) => luckOf(trial))
        .toSorted((a, b) => b - a)
        .slice(0, 3),
    );
  });

  it('is the same when it is made from its events, wherever it was cut off', () => {
    const whole: StudyEvent[] = [];
    const undisturbed = createStudy(spec());
    undisturbed.onEvent = (event) => void whole.push(event);
    finish(undisturbed);
    for (let cut = 0; cut <= whole.length; cut++) {
      const study = createStudy(spec(), structuredClone(whole.slice(0, cut)));
      for (const trial of study.open()) tell(study, trial);
      expect(idsOf(finish(study))).toEqual(idsOf(undisturbed));
    }
  });

  it('counts what is under way as spent, and not as made', () => {
    const study = createStudy(spec());
    const [first] = study.ask(3);
    tell(study, first!);
    expect([study.spent(), study.made()]).toEqual([3, 1]);
  });

  it('counts a trial once, and only one that it asked for', () => {
    const study = createStudy(spec());
    const [trial] = study.ask();
    tell(study, trial!);
    expect(() => tell(study, trial!)).toThrow(expect.objectContaining({ code: 'TRIAL_TOLD' }));
    expect(() => tell(study, { ...trial!, id: 't9' })).toThrow(
      expect.objectContaining({ code: 'TRIAL_UNKNOWN' }),
    );
    expect(study.ranking()).toHaveLength(1);
  });

  it('asks for no more than its budget, and again for what failed', () => {
    const study = createStudy(spec({ images: 3 }));
    const asked = study.ask(9);
    expect(asked.map(({ id }) => id)).toEqual(['t1', 't2', 't3']);
    expect([study.ask(1), study.done()]).toEqual([[], null]);
    study.tell('t2', { failed: { code: 'HOST_FAILED', message: 'out of memory' }, elapsedMs: 10 });
    expect(study.ask(9).map(({ id }) => id)).toEqual(['t4']);
    for (const trial of study.open()) tell(study, trial);
    expect(study.done()?.reason).toBe('images');
  });

  it('counts what was stopped early by the share that was done, and keeps none of it', () => {
    const events: StudyEvent[] = [];
    const study = createStudy(spec({ images: 3, keep: 2 }));
    study.onEvent = (event) => void events.push(event);
    const preview = { node: '3', step: 5, of: 10, share: 0.5, values: { reward: 1 }, stops: true };
    const told = (trial: Trial) => {
      if (Number(trial.id.slice(1)) % 2) return tell(study, trial);
      study.preview(trial.id, preview);
      study.tell(trial.id, { pruned: { preview, share: 0.6 }, elapsedMs: 1000 });
    };
    for (let [trial] = study.ask(); trial; [trial] = study.ask()) told(trial);
    // 1 + 0.6 + 1, and the 0.4 that are left are not enough for another one.
    expect([study.trials.length, study.spent(), study.done()?.reason]).toEqual([3, 2.6, 'images']);
    expect(idsOf(study).toSorted()).toEqual(['t1', 't3']);
    const again = createStudy(spec({ images: 3, keep: 2 }), structuredClone(events));
    expect(again.trials).toEqual(study.trials);
    expect([idsOf(again), again.spent()]).toEqual([idsOf(study), 2.6]);
    expect(() => study.preview('t1', preview)).toThrow(expect.objectContaining({ code: 'TRIAL_TOLD' }));
  });

  it('gives up when all fails, not when some do', () => {
    const study = createStudy(spec({ images: 30 }));
    for (let n = 1; n <= 20; n++) {
      const [trial] = study.ask();
      if (n % 3 === 0) study.tell(trial!.id, { failed: { code: 'X', message: 'every third' }, elapsedMs: n });
      else tell(study, trial!);
    }
    expect(study.done()).toBeNull();
    for (let n = 0; n < 5; n++)
      study.tell(study.ask()[0]!.id, { failed: { code: 'X', message: 'gone' }, elapsedMs: n });
    expect(study.done()).toMatchObject({ reason: 'failures', words: expect.stringContaining('gone') });
  });

  it('ends when its minutes are over', () => {
    const study = finish(createStudy(spec({ images: 1000, minutes: 0.1 })));
    expect([study.done()?.reason, study.trials.length]).toEqual(['minutes', 6]);
  });

  it('picks no image without a score, and none that a policy turned down', () => {
    const study = createStudy(spec({ images: 3 }));
    const [a, b, c] = study.ask(3);
    tell(study, a!, { ...scored(a!, 0.9), rejected: true });
    tell(study, b!, scored(b!, null));
    tell(study, c!, scored(c!, 0.1));
    expect(idsOf(study)).toEqual(['t3']);
  });

  it('picks by the ranks that several measures give', () => {
    const study = createStudy(spec({ images: 3, pick: ['reward', 'quality'] }));
    const [a, b, c] = study.ask(3);
    tell(study, a!, { image: 'a', values: { reward: 0.9, quality: 0.1 } });
    tell(study, b!, { image: 'b', values: { reward: 0.8, quality: 900 } });
    tell(study, c!, { image: 'c', values: { reward: 0.1, quality: 0.2 } });
    expect(idsOf(study)).toEqual(['t2', 't1', 't3']);
  });

  it('tries all combinations of what is varied equally often', () => {
    const axes = {
      cfg: { values: [4, 6, 8] },
      prompt: { values: ['a fox', 'a red fox'] },
      shift: { low: 0, high: 1 },
    };
    const study = finish(createStudy(spec({ axes })));
    const combinations = study.trials.map(({ trial }) => `${trial.parameters.cfg} ${trial.prompt}`);
    expect(new Set(combinations.slice(0, 6)).size).toBe(6);
    expect(combinations.toSorted().filter((c, i, all) => all[i - 1] === c)).toHaveLength(6);
    expect(new Set(study.trials.map(({ trial }) => trial.parameters.shift)).size).toBe(12);
  });

  it.each([
    ['images', { images: 0 }],
    ['keep', { keep: 0 }],
    ['axes.cfg.values', { axes: { cfg: { values: [] } } }],
    ['strategy.name', { strategy: { name: 'magic' } }],
    ['strategy.least', { strategy: { name: 'first' } }],
    ['pick', { strategy: { name: 'first', least: 1 }, pick: ['reward', 'quality'] }],
  ])('is refused by the name of what is wrong: %s', (field, wrong) => {
    expect(() => createStudy(spec(wrong))).toThrow(
      expect.objectContaining({ code: 'STUDY_INVALID', details: expect.objectContaining({ field }) }),
    );
  });
});

describe('the first K above a threshold', () => {
  it('stops with the K-th', () => {
    const study = finish(
      createStudy(spec({ images: 500, keep: 3, strategy: { name: 'first', least: 0.8 } })),
    );
    expect(study.done()?.reason).toBe('keepers');
    const values = study.trials.map(({ trial }) => luckOf(trial));
    expect(values.filter((value) => value >= 0.8)).toHaveLength(3);
    expect(values.at(-1)).toBeGreaterThanOrEqual(0.8);
  });
});

describe('a price', () => {
  const told = (values: number[], more: object) => {
    const study = createStudy(spec({ images: 100, ...more }));
    for (const value of values) {
      const [trial] = study.ask();
      if (!trial) break;
      tell(study, trial, scored(trial, value));
    }
    return study;
  };

  it('ends a study in which one more image is expected to add less', () => {
    const price = { amount: 0.01, of: 'score' };
    expect(told([0.5, 0.51, 0.52, 0.9], { price }).done()?.reason).toBe('not-worth-it');
    expect(told([0.1, 0.9, 0.5, 0.2], { price }).done()).toBeNull();
    expect(told([0.5, 0.9], { price }).done()).toBeNull();
    expect(told([0.5, 0.5, 0.5], { price }).done()?.reason).toBe('not-worth-it');
  });

  it('is of the spread where it says so, whatever the scale', () => {
    const price = { amount: 0.1, of: 'spread' };
    const values = [0.2, 0.4, 0.3, 0.5, 0.1, 0.6, 0.35, 0.7];
    const lengths = [1, 100].map(
      (scale) =>
        told(
          values.map((v) => v * scale),
          { price },
        ).trials.length,
    );
    expect(lengths[0]).toBe(lengths[1]);
  });

  it('does not depend on which of two trials was told first', () => {
    const study = createStudy(spec({ images: 100, price: { amount: 0.01, of: 'score' } }));
    const trials = study.ask(5);
    const values = [0.1, 0.5, 0.51, 0.52, 0.9];
    for (const i of [4, 3, 2, 1]) tell(study, trials[i]!, scored(trials[i]!, values[i]!));
    expect(study.done()).toBeNull();
    tell(study, trials[0]!, scored(trials[0]!, values[0]!));
    expect(study.done()).toBeNull();
  });
});
