import { describe, expect, it } from 'vitest';
import { decide, doubtsOf } from '../../../src/loops/policy/policy.ts';
import type { AspectScore } from '../../../src/types/aspect.ts';
import type { Policy } from '../../../src/types/policy.ts';

const quality: AspectScore = {
  score: 3,
  range: [0, 5],
  percentile: 0.6,
  interval: [2.5, 3.5],
  coverage: 0.9,
};
const image = { aspects: { quality, alignment: null, authenticity: null }, reward: 0.6, guards: [] };
const policy = (demands: Partial<Policy>): Policy => ({
  aspects: {},
  unsureWithinInterval: false,
  ...demands,
});

describe('decide', () => {
  it('is in doubt where a percentile is demanded that a judge without calibration cannot give', () => {
    const bare = { ...quality, percentile: null, interval: null, coverage: null };
    const of = (demand: object, rest: Partial<Policy> = {}) =>
      decide(
        { ...image, aspects: { ...image.aspects, quality: bare } },
        policy({ aspects: { quality: demand }, ...rest }),
      );
    expect(of({ minPercentile: 0.2 })).toEqual({
      decision: 'unsure',
      reasons: ['quality has no percentile: the scorer is not calibrated'],
    });
    expect(of({ minScore: 2.9 }, { unsureWithinInterval: true }).decision).toBe('accept');
  });

  it.each<[string, Partial<Policy>, string, string[]]>([
    ['no demands', {}, 'accept', []],
    ['a score that is reached', { aspects: { quality: { minScore: 3 } } }, 'accept', []],
    [
      'a score that is missed',
      { aspects: { quality: { minScore: 4 } } },
      'reject',
      ['quality 3.00 is below 4.00'],
    ],
    [
      'a percentile that is missed',
      { aspects: { quality: { minPercentile: 0.7 } } },
      'reject',
      ['quality percentile 60 % is below 70 %'],
    ],
    [
      'a score that is missed by a hair',
      { aspects: { quality: { minScore: 3.0004, minPercentile: 0.6004 } }, minReward: 0.6004 },
      'reject',
      [
        'quality 3.0000 is below 3.0004',
        'quality percentile 60.00 % is below 60.04 %',
        'reward 0.6000 is below 0.6004',
      ],
    ],
    ['a reward that is missed', { minReward: 0.9 }, 'reject', ['reward 0.60 is below 0.90']],
    [
      'an aspect without a score',
      { aspects: { alignment: { minScore: 1 } } },
      'unsure',
      ['alignment has no score'],
    ],
    [
      'a miss and a doubt',
      { aspects: { quality: { minScore: 4 }, alignment: { minScore: 1 } } },
      'reject',
      ['quality 3.00 is below 4.00'],
    ],
    [
      'a score inside the interval',
      { aspects: { quality: { minScore: 3.2 } }, unsureWithinInterval: true },
      'unsure',
      ['quality 3.00 is too near 3.20: it may lie between 2.50 and 3.50'],
    ],
    [
      'a score outside the interval',
      { aspects: { quality: { minScore: 3.6 } }, unsureWithinInterval: true },
      'reject',
      ['quality 3.00 is below 3.60'],
    ],
  ])('%s', (_name, demands, decision, reasons) => {
    expect(decide(image, policy(demands))).toEqual({ decision, reasons });
  });

  it('rejects under a guard, whatever the score', () => {
    const guards = [{ guard: 'blank' as const, message: 'one colour' }];
    expect(decide({ ...image, guards }, policy({}))).toEqual({
      decision: 'reject',
      reasons: ['blank: one colour'],
    });
  });

  it('is unsure about a reward that is missing', () => {
    expect(decide({ ...image, reward: null }, policy({ minReward: 0.1 })).decision).toBe('unsure');
  });
});

describe('demands that are hardly meant', () => {
  const predicted = { quality: { range: [0, 5] }, alignment: { range: [1, 5] } } as const;
  const doubts = (aspects: Policy['aspects']) =>
    doubtsOf({ aspects, unsureWithinInterval: false }, 'test', predicted);

  it.each<[Policy['aspects'], string[]]>([
    [{ quality: { minScore: 5 }, alignment: { minScore: 1, minPercentile: 0.5 } }, []],
    [
      { quality: { minScore: 40 } },
      ['policy.aspects.quality.minScore is 40, and test gives 0 to 5: every image is rejected'],
    ],
    [
      { alignment: { minScore: 0.2 } },
      ['policy.aspects.alignment.minScore is 0.2, and test gives 1 to 5: it asks for nothing'],
    ],
    [
      { authenticity: { minPercentile: 0.1 } },
      ['policy.aspects.authenticity: test does not predict authenticity, so every image is unsure'],
    ],
  ])('%j', (aspects, expected) => {
    expect(doubts(aspects)).toEqual(expected);
  });
});
