import { expect, test } from 'vitest';
import { bestOfN } from '../../src/eval/figures/best-of-n.ts';
import type { Pair } from '../../src/eval/figures/pairs.ts';
import { randomFrom } from '../../src/lib/random.ts';

const pair = (prompt: string | null, score: number, mos: number): Pair => ({
  name: `${prompt}-${score}`,
  prompt,
  generator: null,
  score,
  interval: [0, 5],
  mos,
  guards: [],
});

const byPrompt = (p: Pair) => p.prompt;

/** Mean over every choice of `n` of the group; among equal scores, over every one of them. */
function slowPick(group: Pair[], n: number): number {
  const choices = Array.from({ length: 2 ** group.length }, (_, bits) =>
    group.filter((_, i) => bits & (1 << i)),
  );
  const values = choices
    .filter((c) => c.length === n)
    .map((c) => {
      const best = Math.max(...c.map((p) => p.score));
      const first = c.filter((p) => p.score === best).map((p) => p.mos);
      return first.reduce((a, b) => a + b) / first.length;
    });
  return values.reduce((a, b) => a + b) / values.length;
}

test('three images, by hand', () => {
  // scores order them 4, 2, 3 by MOS; of two, the first two ranks win with 2/3 and 1/3
  const curve = bestOfN([pair('a', 3, 4), pair('a', 2, 2), pair('a', 1, 3)], byPrompt)!;
  expect(curve.map((p) => p.n)).toEqual([1, 2, 3]);
  expect(curve[1]!.pick).toBeCloseTo((2 * 4 + 2) / 3, 12);
  expect(curve[1]!.oracle).toBeCloseTo((2 * 4 + 3) / 3, 12);
  expect(curve[1]!.random).toBe(3);
  expect(curve[0]!.gain).toBeNull();
  expect(curve[2]).toMatchObject({ pick: 4, oracle: 4, gain: 1 });
});

test('agrees with trying every choice, ties included', () => {
  const random = randomFrom(5);
  const groups = ['a', 'b', 'c'].map((prompt) =>
    Array.from({ length: 8 }, () => pair(prompt, Math.floor(random() * 4), random() * 5)),
  );
  const curve = bestOfN(groups.flat(), byPrompt)!;
  for (const { n, pick } of curve) {
    const slow = groups.map((g) => slowPick(g, n)).reduce((a, b) => a + b) / groups.length;
    expect(pick).toBeCloseTo(slow, 10);
  }
});

test('a perfect scorer gains everything, a reversed one less than nothing', () => {
  const mos = [1, 2, 3, 4];
  const gainOf = (sign: number) =>
    bestOfN(
      mos.map((m) => pair('a', sign * m, m)),
      byPrompt,
    )!.at(-1)!.gain;
  expect(gainOf(1)).toBeCloseTo(1, 12);
  expect(gainOf(-1)).toBeCloseTo(-1, 12);
});

test('all N are computed on the same groups, as far as a third of them go', () => {
  const group = (prompt: string, size: number) => Array.from({ length: size }, (_, i) => pair(prompt, i, i));
  const curve = bestOfN([...group('a', 2), ...group('b', 5), ...group('c', 3)], byPrompt)!;
  expect(curve.map((p) => [p.n, p.groups])).toEqual([1, 2, 3, 4, 5].map((n) => [n, 1]));
});

test('equal ratings leave nothing to gain', () => {
  expect(bestOfN([pair('a', 1, 3), pair('a', 2, 3)], byPrompt)!.at(-1)!.gain).toBeNull();
});

test('no group of two, no curve', () => {
  expect(
    bestOfN([pair('a', 1, 1), pair('b', 1, 1), pair(null, 1, 1), pair(null, 2, 2)], byPrompt),
  ).toBeNull();
});
