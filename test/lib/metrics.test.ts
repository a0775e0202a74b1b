import { describe, expect, test } from 'vitest';
import { bootstrap, clusterIds } from '../../src/lib/bootstrap.ts';
import { krcc, plcc, ranks, rmse, srcc } from '../../src/lib/metrics.ts';
import { randomFrom } from '../../src/lib/random.ts';
import { weightedPlcc, weightedSrcc, weightedWithin } from '../../src/lib/weighted.ts';

const random = randomFrom(3);
/** Whole numbers from a small range, so that ties abound. */
const tied = (n: number, values: number) => Array.from({ length: n }, () => Math.floor(random() * values));

// slow and plain: by the definitions
const slowRanks = (x: number[]) =>
  x.map((v) => x.filter((u) => u < v).length + (x.filter((u) => u === v).length + 1) / 2);

function slowPearson(x: number[], y: number[]): number {
  const n = x.length;
  const sum = (f: (i: number) => number) => x.reduce((s, _, i) => s + f(i), 0);
  const [sx, sy] = [sum((i) => x[i]!), sum((i) => y[i]!)];
  const cov = n * sum((i) => x[i]! * y[i]!) - sx * sy;
  return cov / Math.sqrt((n * sum((i) => x[i]! ** 2) - sx ** 2) * (n * sum((i) => y[i]! ** 2) - sy ** 2));
}

function slowTauB(x: number[], y: number[]): number {
  let [alike, unlike, onlyX, onlyY] = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i++)
    for (let j = 0; j < i; j++) {
      const dx = Math.sign(x[i]! - x[j]!);
      const dy = Math.sign(y[i]! - y[j]!);
      if (dx * dy > 0) alike++;
      else if (dx * dy < 0) unlike++;
      else if (dx !== 0) onlyX++;
      else if (dy !== 0) onlyY++;
    }
  return (alike - unlike) / Math.sqrt((alike + unlike + onlyX) * (alike + unlike + onlyY));
}

describe('known values', () => {
  test('five pairs without ties: 1 - 6·Σd²/(n(n²-1)) and (C - D)/pairs', () => {
    const x = [1, 2, 3, 4, 5];
    const y = [2, 1, 4, 3, 5];
    expect(srcc(x, y)).toBeCloseTo(0.8, 12);
    expect(krcc(x, y)).toBeCloseTo(0.6, 12);
    expect(plcc(x, y)).toBeCloseTo(0.8, 12);
    expect(rmse(x, y)).toBeCloseTo(Math.sqrt(4 / 5), 12);
  });

  test('ties share the mean of their places', () => {
    expect([...ranks([30, 10, 20, 20])]).toEqual([4, 1, 2.5, 2.5]);
    expect([...ranks([7, 7, 7])]).toEqual([2, 2, 2]);
  });

  test('tau-b with ties, by hand: 4 alike, 0 unlike, one pair tied in each series', () => {
    expect(krcc([1, 1, 2, 3], [1, 2, 3, 3])).toBeCloseTo(4 / 5, 12);
  });

  test('a monotone curve has rank correlation 1, a plain linear one below', () => {
    const x = [1, 2, 3, 4, 5, 6];
    const y = x.map((v) => Math.exp(v));
    expect(srcc(x, y)).toBe(1);
    expect(krcc(x, y)).toBe(1);
    expect(plcc(x, y)).toBeLessThan(0.9);
  });

  test('opposite order is -1', () => {
    expect(srcc([1, 2, 3], [9, 5, 1])).toBe(-1);
    expect(krcc([1, 2, 3], [9, 5, 1])).toBe(-1);
  });
});

describe('undefined figures are null, never NaN', () => {
  test.each([
    ['a constant series', [0.1, 0.1, 0.1], [1, 2, 3]],
    ['the other constant', [1, 2, 3], [0.3, 0.3, 0.3]],
    ['one pair', [1], [2]],
    ['no pair', [], []],
  ])('%s', (_, x, y) => {
    for (const correlation of [srcc, plcc, krcc]) expect(correlation(x, y)).toBeNull();
  });

  test('RMSE of nothing', () => expect(rmse([], [])).toBeNull());
});

test.each([5, 17, 120, 300])('%i pairs full of ties agree with the slow definitions', (n) => {
  const x = tied(n, 12);
  const y = x.map((v) => v + Math.floor(random() * 8));
  expect(srcc(x, y)).toBeCloseTo(slowPearson(slowRanks(x), slowRanks(y)), 10);
  expect(plcc(x, y)).toBeCloseTo(slowPearson(x, y), 10);
  expect(krcc(x, y)).toBeCloseTo(slowTauB(x, y), 10);
});

describe('weighted figures', () => {
  const x = tied(80, 20);
  const y = x.map((v) => v + Math.floor(random() * 12));
  const weights = Float64Array.from(tied(80, 4));
  const copies = [...weights].flatMap((w, i) => Array<number>(w).fill(i));
  const pick = (series: number[], at: number[]) => at.map((i) => series[i]!);

  test('equal those of the set with copies', () => {
    const [copiedX, copiedY] = [pick(x, copies), pick(y, copies)];
    expect(weightedSrcc(x, y)(weights)).toBeCloseTo(srcc(copiedX, copiedY)!, 10);
    expect(weightedPlcc(x, y)(weights)).toBeCloseTo(plcc(copiedX, copiedY)!, 10);
  });

  test('within groups is the mean over groups', () => {
    const groups = [0, 40].map((start) => Uint32Array.from({ length: 40 }, (_, i) => start + i));
    const each = [0, 40].map((start) => {
      const own = copies.filter((i) => i >= start && i < start + 40);
      return srcc(pick(x, own), pick(y, own))!;
    });
    expect(weightedWithin(x, y, groups)(weights)).toBeCloseTo((each[0]! + each[1]!) / 2, 10);
  });

  test('a draw of one value only has no correlation', () => {
    const one = new Float64Array(80);
    one[3] = 7;
    expect(weightedSrcc(x, y)(one)).toBeNull();
    expect(weightedPlcc(x, y)(one)).toBeNull();
  });
});

describe('bootstrap', () => {
  const n = 400;
  const x = Array.from({ length: n }, () => random());
  const y = x.map((v) => v + random());
  const single = clusterIds(x.map((_, i) => i));

  test('holds the figure of the whole set and is the same each time', () => {
    const [interval] = bootstrap(single, [weightedPlcc(x, y)]);
    const whole = plcc(x, y)!;
    expect(interval![0]).toBeLessThan(whole);
    expect(interval![1]).toBeGreaterThan(whole);
    expect(bootstrap(single, [weightedPlcc(x, y)])).toEqual([interval]);
  });

  test('is about as wide as theory says for a plain correlation', () => {
    const [interval] = bootstrap(single, [weightedPlcc(x, y)]);
    const r = plcc(x, y)!;
    const expected = (2 * 1.96 * (1 - r ** 2)) / Math.sqrt(n);
    expect((interval![1] - interval![0]) / expected).toBeGreaterThan(0.8);
    expect((interval![1] - interval![0]) / expected).toBeLessThan(1.2);
  });

  test('draws whole clusters: copies of images add no certainty', () => {
    const twice = [...x, ...x];
    const clusters = clusterIds(twice.map((_, i) => i % n));
    const [once] = bootstrap(single, [weightedPlcc(x, y)]);
    const [copied] = bootstrap(clusters, [weightedPlcc(twice, [...y, ...y])]);
    expect(copied![0]).toBeCloseTo(once![0], 9);
    expect(copied![1]).toBeCloseTo(once![1], 9);
  });

  test('too few clusters give no interval', () => {
    expect(bootstrap(clusterIds(['a', 'a', 'b']), [() => 1])).toEqual([null]);
  });
});
