/** What previews are taken to tell, and what stopping by them has cost, on numbers that are known. */
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../src/lib/random.ts';
import { type Calibration, pointsOf, usablePoints } from '../../../src/loops/previews/calibration.ts';
import { misfitOf } from '../../../src/loops/previews/fit.ts';
import { regretOf } from '../../../src/loops/previews/regret.ts';
import { isControl, isWorthIt } from '../../../src/loops/previews/worth.ts';
import type { Outcome, Preview, TrialState } from '../../../src/loops/study/types.ts';

const random = randomFrom(5);
/** About normal. */
const bell = () => random() + random() + random() + random() - 2;

const state = (n: number, outcome: Outcome, previews: Preview[] = []): TrialState => ({
  trial: {
    id: `t${n}`,
    prompt: null,
    seed: n,
    parameters: {},
    stage: { name: 'full', effort: 1 },
    from: null,
  },
  outcome,
  previews,
});
const image = (reward: number): Outcome => ({
  images: [{ image: 'x.png', values: { reward } }],
  elapsedMs: 1,
});
const seen = (step: number, reward: number, stops?: true): Preview => ({
  ...{ node: '3', step, of: 10, share: step / 10, values: { reward } },
  ...(stops && { stops }),
});

/** Previews that are off by less and less. */
const measured = Array.from({ length: 40 }, (_, n) => {
  const final = bell();
  const previews = [2, 5, 8, 10].map((step) => seen(step, final + bell() * (1 - step / 10)));
  return state(n + 1, image(final), previews);
});

describe('a calibration', () => {
  const points = pointsOf(measured, 'reward');

  it('has a point for each step, with an interval that holds the correlation', () => {
    expect(points.map(({ step, share }) => [step, share])).toEqual([
      [2, 0.2],
      [5, 0.5],
      [8, 0.8],
      [10, 1],
    ]);
    for (const { srcc, interval } of points) {
      expect(interval![0]).toBeLessThanOrEqual(srcc!);
      expect(interval![1]).toBeGreaterThanOrEqual(srcc!);
    }
    expect(points.at(-1)!.srcc).toBe(1);
  });

  it('is used where the lower end passes the demand, and there is work to spare', () => {
    const usable = usablePoints({ points }, 0.8);
    for (const point of points)
      expect(usable.includes(point)).toBe(point.interval![0] >= 0.8 && point.share < 1);
    expect(usable.length).toBeGreaterThan(0);
    expect(usablePoints({ points }, 0.9999)).toEqual([]);
  });

  it('leaves out steps that too few images have', () => {
    const few = measured.map((one, n) => (n % 2 ? { ...one, previews: one.previews!.slice(1) } : one));
    expect(pointsOf(few, 'reward').map(({ step }) => step)).toEqual([5, 8, 10]);
  });
});

describe('a trial', () => {
  const point = pointsOf(measured, 'reward')[1]!;
  const finished = measured.map(({ outcome }) =>
    'images' in outcome! ? outcome.images[0]!.values.reward! : 0,
  );

  it('goes on where its preview is high, and not where it is low', () => {
    const standing = { spec: { keep: 1 }, finished: finished.slice(0, 10) };
    expect([2, -2].map((preview) => isWorthIt(standing, point, preview, 0.5))).toEqual([true, false]);
  });

  it('goes on while there are fewer images than are to be kept', () => {
    expect(isWorthIt({ spec: { keep: 3 }, finished: [1, 2] }, point, -2, 0.5)).toBe(true);
  });

  it('is a check once in five, by the seed of the study alone', () => {
    const checks = (seed: number) =>
      Array.from({ length: 1000 }, (_, n) => isControl(seed, { id: `t${n}` }, 0.2)).map(Number);
    const share = checks(7).reduce((a, b) => a + b, 0) / 1000;
    expect(share).toBeGreaterThan(0.16);
    expect(share).toBeLessThan(0.24);
    expect(checks(7)).toEqual(checks(7));
    expect(checks(7)).not.toEqual(checks(8));
  });
});

describe('a calibration fits', () => {
  const points = pointsOf(measured, 'reward');
  const subject = {
    ...{ workflow: 'w', host: 'comfyui', method: 'latent2rgb', by: 'reward', prompt: 'a fox' },
    scorer: { id: 'a', version: '1', weights: 'x' },
    size: [512, 512] as [number, number],
  };
  const calibration: Calibration = {
    ...{ version: 1, assay: '0', made: '2026-01-01T00:00:00.000Z', file: 'w.json', subject, points },
    ...{ images: 40, samplers: [{ node: '3', steps: 10 }] },
  };
  const wanted = {
    ...{ workflow: 'w', host: 'comfyui', method: 'latent2rgb', prompt: null },
    scorer: { id: 'a', version: '1' },
    spec: { pick: ['reward'], axes: {} },
  };

  it('where all of it is the same', () => {
    expect(misfitOf(calibration, wanted, 0.8)).toBeNull();
    expect(misfitOf(calibration, { ...wanted, prompt: 'a fox' }, 0.8)).toBeNull();
  });

  it.each<[string, Partial<typeof wanted> | object, number, RegExp]>([
    ['host', { host: 'other' }, 0.8, /another host/],
    ['workflow', { workflow: 'v' }, 0.8, /another workflow/],
    ['scorer', { scorer: { id: 'a', version: '2' } }, 0.8, /the scorer a 1/],
    ['method', { method: 'taesd' }, 0.8, /previews by taesd, and the calibration is of latent2rgb/],
    ['measure', { spec: { pick: ['quality'], axes: {} } }, 0.8, /of reward, .* by quality/],
    ['prompt', { prompt: 'a wolf' }, 0.8, /another prompt/],
    ['axes', { spec: { pick: ['reward'], axes: { cfg: { values: [1] } } } }, 0.8, /more than the seed .*cfg/],
    ['demand', {}, 0.9999, /only when nothing is left/],
  ])('not of another %s', (_, changes, demand, words) => {
    expect(misfitOf(calibration, { ...wanted, ...changes }, demand)).toMatch(words);
  });

  it('not where no point is sure enough', () => {
    const unsure = {
      ...calibration,
      points: points.map((one) => ({ ...one, interval: [0.1, 0.9] as [number, number] })),
    };
    expect(misfitOf(unsure, wanted, 0.8)).toMatch(/as surely as demanded: 0\.10 at most/);
    const few = { ...calibration, points: points.map((one) => ({ ...one, interval: null })) };
    expect(misfitOf(few, wanted, 0.8)).toMatch(/too few images had a score/);
  });
});

describe('regret', () => {
  const pruned = (n: number): TrialState =>
    state(n, { pruned: { preview: seen(3, 0, true), share: 0.4 }, elapsedMs: 1 }, [seen(3, 0, true)]);
  const spec = { pick: ['reward'], keep: 1 };

  it('is told from the trials that went on all the same', () => {
    const checked = Array.from({ length: 12 }, (_, i) =>
      state(20 + i, image(i === 0 ? 0.9 : 0.1), [seen(3, 0, true)]),
    );
    const found = regretOf([state(1, image(0.5), [seen(3, 1)]), pruned(2), pruned(3), ...checked], spec)!;
    expect(found).toMatchObject({ pruned: 2, checked: 12, better: 1 });
    expect(found.spared).toBeCloseTo(1.2);
    expect(found.often!.share).toBeCloseTo(1 / 12);
    // Of two: the chance that either is that one, times what it is better by.
    expect(found.loss!.value).toBeCloseTo(0.4 * (1 - (11 / 12) ** 2));
    expect(found.loss!.interval![0]).toBe(0);
  });

  it('is not zero for sure where few were checked', () => {
    const found = regretOf(
      [state(1, image(0.5)), pruned(2), state(3, image(0.1), [seen(3, 0, true)])],
      spec,
    )!;
    expect([found.better, found.often!.interval[1] > 0.5, found.loss!.interval]).toEqual([0, true, null]);
  });

  it('is nothing where no preview was looked at', () => {
    expect(
      regretOf(
        [state(1, image(1))].map(({ previews: _, ...rest }) => rest),
        spec,
      ),
    ).toBeNull();
  });
});
