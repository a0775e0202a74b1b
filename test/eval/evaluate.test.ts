import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/cli/eval.ts';
import { familyOf } from '../../src/eval/figures/pairs.ts';
import { readFitted } from '../../src/eval/ratings/fitted.ts';
import type { Report } from '../../src/eval/summary.ts';
import { printSummary } from '../../src/eval/terminal.ts';
import type { ScoreResult } from '../../src/types/result.ts';
import { tempFolder } from '../support/files.ts';
import {
  aspectScore,
  failedResult,
  noisyScorer,
  type ScoreFunction,
  scoredResult,
  syntheticRows,
  writeSet,
} from './synthetic.ts';

const rows = syntheticRows(20);
const names = rows.map((r) => r.name);

/** Turns the results of a scorer into others, one by one. */
const changed =
  (score: ScoreFunction, change: (result: ScoreResult, index: number) => ScoreResult): ScoreFunction =>
  async (items) =>
    (await score(items)).map(change);

async function run(table: object[], score: ScoreFunction, extra: object = {}) {
  const set = writeSet(table, names);
  const report = await evaluate({ ...set, ...extra }, { score });
  const read = (file: string) => readFileSync(join(set.out, file), 'utf8');
  return {
    report,
    json: JSON.parse(read('report.json')) as Report,
    csv: read('predictions.csv'),
    text: read('report.json'),
  };
}

const without = (table: object[], ...keys: string[]) =>
  table.map((row) => Object.fromEntries(Object.entries(row).filter(([k]) => !keys.includes(k))));

describe('a full set', () => {
  const full = () => run(rows, noisyScorer(rows, 0.6));

  test('report.json has exactly the promised figures', async () => {
    const { json } = await full();
    const keys = ['srcc', 'plcc', 'krcc', 'rmse', 'withinGenerator', 'coverage', 'n'];
    expect(Object.keys(json.aspects.quality!)).toEqual(keys);
    expect(json.aspects).toMatchObject({ alignment: null, authenticity: null });
    expect(json.aspects.quality!.n).toBe(80);
    expect(json.aspects.quality!.srcc).toBeGreaterThan(0.85);
    expect(json.aspects.quality!.coverage).toBe(1);
    // uniform noise of ±0.6
    expect(json.aspects.quality!.rmse).toBeCloseTo(0.6 / Math.sqrt(3), 1);
  });

  test('intervals hold their figures and say over what', async () => {
    const { json } = await full();
    expect(json.bootstrap.over).toBe('prompts');
    for (const key of ['srcc', 'plcc', 'withinGenerator'] as const) {
      const [low, high] = json.ci.quality![key]!;
      expect(low).toBeLessThan(json.aspects.quality![key]!);
      expect(high).toBeGreaterThan(json.aspects.quality![key]!);
    }
  });

  test('generators, deciles, best-of-N and misses are there', async () => {
    const { json } = await full();
    const generators = json.generators.quality!;
    expect(generators.map((g) => g.generator)).toEqual([...new Set(rows.map((r) => r.generator))].sort());
    expect(Object.keys(generators[0]!)).toEqual([
      'generator',
      'n',
      'srcc',
      'coverage',
      'meanMos',
      'meanScore',
    ]);
    const within = generators.reduce((sum, g) => sum + g.srcc!, 0) / generators.length;
    expect(json.aspects.quality!.withinGenerator).toBeCloseTo(within, 5);
    expect(json.calibration.quality!.map((b) => b.n)).toEqual(Array(10).fill(8));
    expect(json.bestOf.quality!.prompt!.map((p) => p.n)).toEqual([1, 2, 3, 4]);
    expect(json.bestOf.quality!.promptAndFamily!.map((p) => [p.n, p.groups])).toEqual([
      [1, 20],
      [2, 20],
    ]);
    expect(json.worst.quality!.scoredTooHigh).toHaveLength(10);
  });

  test('the quality score stands in for alignment under a name of its own', async () => {
    const { json } = await full();
    expect(json.qualityAsAlignment!.figures).toMatchObject({ n: 80, rmse: null, coverage: null });
    expect(Math.abs(json.qualityAsAlignment!.figures.srcc!)).toBeLessThan(0.4);
    expect(json.notes).toContain('alignment is rated, but the scorer does not predict it');
  });

  test('the scorer is stamped, and two runs differ in time only', async () => {
    const [one, two] = [await full(), await full()];
    expect(one.json.scorer).toMatchObject({ id: 'fake', version: '1.2.3', weights: 'sha256:aa' });
    const timeless = ({ json }: typeof one) => ({ ...json, at: 0, timings: null });
    expect(timeless(one)).toEqual(timeless(two));
  });

  test('predictions.csv has every row', async () => {
    const { csv } = await full();
    const table = parse(csv, { columns: true }) as Record<string, string>[];
    expect(table).toHaveLength(80);
    expect(table[3]).toMatchObject({
      name: names[3],
      generator: rows[3]!.generator,
      prompt: rows[3]!.prompt,
    });
    expect(Number(table[3]!.mos_quality)).toBe(rows[3]!.mos_quality);
    expect(Number(table[3]!.quality_low)).toBeLessThan(Number(table[3]!.quality));
    expect(table[3]).toMatchObject({ alignment: '', error: '', guards: '' });
  });
});

describe('what fails', () => {
  test('failing and forgotten images are listed, rows without image told, and the rest is evaluated', async () => {
    const base = noisyScorer(rows, 0.3);
    const set = writeSet(rows, names.slice(2));
    const score: ScoreFunction = async (items) => {
      const results = await base(items);
      results[0] = failedResult(items[0]!.id, 'IMAGE_CORRUPT', 'the image is damaged or cut short: <eof>');
      return results.slice(0, -1).reverse();
    };
    const report = await evaluate(set, { score });
    expect(report.images).toEqual({ rated: 78, scored: 76, failed: 2, unreached: 0 });
    expect(report.aspects.quality!.n).toBe(76);
    expect(report.failed.map((f) => [f.name, f.line, f.code])).toEqual([
      [names[2], 4, 'IMAGE_CORRUPT'],
      [names.at(-1), 81, 'INTERNAL'],
    ]);
    expect(report.notes).toContain(
      `rows without an image here: 2 (${names[0]} (line 2), ${names[1]} (line 3)); the figures leave them out`,
    );
    expect(readFileSync(join(set.out, 'predictions.csv'), 'utf8')).toContain(
      'IMAGE_CORRUPT: the image is damaged',
    );
  });

  test('an image that vanishes or is a folder fails when it is read', async () => {
    const set = writeSet(rows, names);
    const path = join(set.images, 'images', names[0]!);
    const score: ScoreFunction = async ([first]) => {
      rmSync(path);
      await expect(first!.fetch(new AbortController().signal)).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
      });
      mkdirSync(path);
      await expect(first!.fetch(new AbortController().signal)).rejects.toMatchObject({
        code: 'FILE_UNREADABLE',
      });
      return [];
    };
    expect((await evaluate(set, { score })).images.scored).toBe(0);
  });

  test('when nothing was scored, figures are null and the report is written all the same', async () => {
    const fail = changed(noisyScorer(rows, 0), ({ id }) => failedResult(id, 'INFERENCE_FAILED', 'no'));
    const { json } = await run(rows, fail, { scorer: 'broken' });
    expect(json.aspects).toEqual({ quality: null, alignment: null, authenticity: null });
    expect(json).toMatchObject({ scorer: null, requested: 'broken', qualityAsAlignment: null });
  });

  test('a set without any of its images is an error', async () => {
    const set = writeSet(rows, ['other.png']);
    const score = noisyScorer(rows, 0);
    await expect(evaluate(set, { score })).rejects.toMatchObject({ code: 'NO_IMAGES' });
  });

  test('an output folder that cannot be made is told before scoring', async () => {
    const set = writeSet(rows, names);
    const file = join(tempFolder(), 'file');
    writeFileSync(file, '');
    const score = () => Promise.reject(new Error('scored in vain'));
    await expect(evaluate({ ...set, out: join(file, 'out') }, { score })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  test('what the scorer throws for the whole request comes through', async () => {
    const score = () => Promise.reject(new Error('no such scorer'));
    await expect(evaluate(writeSet(rows, names), { score })).rejects.toThrow('no such scorer');
  });
});

describe('a run that is stopped', () => {
  test('reports what was reached, and says so', async () => {
    const set = writeSet(rows, names);
    const score: ScoreFunction = async (items) => (await noisyScorer(rows, 0.3)(items)).slice(0, 30);
    const report = await evaluate(set, { score, isStopped: () => true });
    expect(report.images).toEqual({ rated: 80, scored: 30, failed: 0, unreached: 50 });
    expect(report.aspects.quality!.n).toBe(30);
    expect(report.notes[0]).toBe('stopped after 30 of 80 images: the figures are of these');
    expect(readFileSync(join(set.out, 'predictions.csv'), 'utf8').trim().split('\n')).toHaveLength(31);
    expect(readFileSync(join(set.out, 'report.html'), 'utf8')).toContain('50 not reached');
  });
});

describe('images that the scorer was fitted to', () => {
  const bytes = (texts: string[]) =>
    Buffer.concat(texts.map((text) => createHash('sha256').update(text).digest().subarray(0, 6)));
  const fittedTo = (files: string[], stems: string[]) => {
    const folder = tempFolder();
    const [file, name] = [bytes(files), bytes(stems)].map((list) => list.toString('base64'));
    const content = { version: 1, title: 'a set', files: file, names: name };
    writeFileSync(join(folder, 'fitted.json'), JSON.stringify(content));
    return () => readFitted(folder);
  };
  const stems = names.map((name) => name.replace('.png', ''));
  const hashed = changed(noisyScorer(rows, 0.3), (r, i) => ({
    ...r,
    sha256: createHash('sha256').update(names[i]!).digest('hex'),
  }));

  test.each<[string, () => ReturnType<typeof fittedTo>, RegExp | null]>([
    [
      'by content',
      () => fittedTo(names.slice(0, 20), []),
      /^20 of 80 images are among those .* fitted to \(a set\)/,
    ],
    ['by name', () => fittedTo([], stems), /^by their names, 80 of 80 images are among those/],
    ['by a few names, which may be chance', () => fittedTo([], stems.slice(0, 40)), null],
    ['in no way', () => fittedTo(['other'], ['other']), null],
    ['in a folder that does not tell', () => () => readFitted(tempFolder()), null],
  ])('%s', async (_, fitted, note) => {
    const { notes } = await evaluate(writeSet(rows, names), { score: hashed, fitted: fitted() });
    const found = notes.filter((text) => text.includes('fitted to'));
    if (note) expect(found).toEqual([expect.stringMatching(note)]);
    else expect(found).toEqual([]);
  });
});

describe('scales', () => {
  const hundred = rows.map((r) => ({ ...r, mos_quality: r.mos_quality * 20 }));
  const signed = rows.map((r) => ({ ...r, mos_quality: r.mos_quality / 2.5 - 1 }));

  test.each([
    ['0,100', hundred],
    ['-1,1', signed],
  ])('--ratings-range %s is mapped to the scorer’s', async (ratingsRange, table) => {
    const { mos_align: _, ...columns } = rows[0]!;
    const only = table.map((r) =>
      Object.fromEntries(Object.keys(columns).map((k) => [k, r[k as keyof typeof r]])),
    );
    const plain = await run(rows, noisyScorer(rows, 0.6));
    const mapped = await run(only, noisyScorer(rows, 0.6), { ratingsRange });
    for (const key of ['srcc', 'plcc', 'krcc', 'rmse', 'coverage'] as const)
      expect(mapped.json.aspects.quality![key]).toBeCloseTo(plain.json.aspects.quality![key]!, 5);
  });

  test('each aspect may have a range of its own', async () => {
    const table = rows.map((r) => ({
      ...r,
      mos_quality: r.mos_quality * 20,
      mos_align: 1 + 0.8 * r.mos_align,
    }));
    const score = changed(noisyScorer(rows, 0.5), (r, i) => ({
      ...r,
      aspects: { ...r.aspects!, alignment: aspectScore(rows[i]!.mos_align) },
    }));
    const { json } = await run(table, score, { range: ['quality=0..100', 'Alignment = 1,5'] });
    expect(json.scales.quality!.mappedFrom).toEqual([0, 100]);
    expect(json.scales.alignment!.mappedFrom).toEqual([1, 5]);
    expect(json.aspects.quality!.rmse).toBeCloseTo(0.5 / Math.sqrt(3), 1);
    expect(json.aspects.alignment!.rmse).toBeCloseTo(0, 5);
  });

  test.each(['quality=5', 'beauty=0..5', 'quality=5..1'])('the range "%s" is refused', async (range) => {
    await expect(run(rows, noisyScorer(rows, 0), { range: [range] })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  test('without it, RMSE and coverage are null and a note says why', async () => {
    const { json } = await run(hundred, noisyScorer(rows, 0.6));
    expect(json.aspects.quality).toMatchObject({ rmse: null, coverage: null });
    expect(json.aspects.quality!.srcc).toBeGreaterThan(0.85);
    expect(json.worst.quality!.by).toBe('rank');
    expect(json.notes.join()).toMatch(
      /quality ratings run from .* outside the scorer's 0..5: .*--ratings-range/,
    );
  });

  test('ratings that fill little of the range raise a doubt', async () => {
    const { json } = await run(
      rows.map((r) => ({ ...r, mos_quality: r.mos_quality / 5 })),
      noisyScorer(rows, 0.6),
    );
    expect(json.notes.join()).toContain('if they are in another scale');
  });

  test.each(['5', '1,x', '5,1', '1,1', ''])('the range "%s" is refused', async (ratingsRange) => {
    await expect(run(rows, noisyScorer(rows, 0), { ratingsRange })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a rating outside the given range is refused', async () => {
    await expect(run(rows, noisyScorer(rows, 0), { ratingsRange: '0,2' })).rejects.toMatchObject({
      code: 'RATINGS_INVALID',
      message: expect.stringMatching(
        /line \d+, column "mos_\w+": expected a number in 0\.\.2 as --ratings-range says, found/,
      ),
    });
  });
});

describe('odd sets', () => {
  test('without prompts, intervals are over images and there is no best-of-N', async () => {
    const { json } = await run(without(rows, 'prompt', 'mos_align'), noisyScorer(rows, 0.6));
    expect(json.bootstrap.over).toBe('images');
    expect(json.ci.quality!.srcc).not.toBeNull();
    expect(json.bestOf.quality).toEqual({ prompt: null, promptAndFamily: null });
  });

  test('without generators, nothing is said within them', async () => {
    const { json } = await run(without(rows, 'generator'), noisyScorer(rows, 0.6));
    expect(json.aspects.quality!.withinGenerator).toBeNull();
    expect(json.ci.quality!.withinGenerator).toBeNull();
    expect(json.generators.quality).toEqual([]);
  });

  test.each([1, 2, 7])('%i images: what cannot be said is null', async (n) => {
    const { json } = await run(rows.slice(0, n), noisyScorer(rows, 0.6));
    expect(json.aspects.quality!.n).toBe(n);
    expect(json.ci.quality!.srcc).toBeNull();
    if (n === 1) expect(json.aspects.quality!.srcc).toBeNull();
  });

  test('a constant scorer has no correlation, and no NaN gets out', async () => {
    const constant = changed(noisyScorer(rows, 0), ({ id }) => scoredResult(id, { quality: aspectScore(2) }));
    const { json, text, csv } = await run(rows, constant);
    expect(json.aspects.quality).toMatchObject({ srcc: null, plcc: null, krcc: null, withinGenerator: null });
    expect(json.ci.quality).toEqual({ srcc: null, plcc: null, withinGenerator: null });
    expect((text + csv).match(/NaN|Infinity|undefined/)).toBeNull();
  });

  test('a score that is not a number counts as none', async () => {
    const broken = changed(noisyScorer(rows, 0.1), (r, i) =>
      i === 0 ? scoredResult(r.id, { quality: aspectScore(Number.NaN) }) : r,
    );
    const { json, text, csv } = await run(rows, broken);
    expect(json.aspects.quality!.n).toBe(79);
    expect((text + csv).match(/NaN/)).toBeNull();
  });

  test('all three aspects', async () => {
    const table = rows.map((r, i) => ({ ...r, authenticity: (i % 5) + 0.5 }));
    const all = changed(noisyScorer(rows, 0.5), (r, i) => {
      const { mos_align, authenticity } = table[i]!;
      const more = { alignment: aspectScore(mos_align), authenticity: aspectScore(authenticity) };
      return { ...r, aspects: { ...r.aspects!, ...more } };
    });
    const { json } = await run(table, all);
    expect(json.aspects.alignment!.srcc).toBe(1);
    expect(json.aspects.authenticity!.krcc).toBe(1);
  });
});

test('guard hits are counted; those on well rated images are false alarms', async () => {
  const best = rows.reduce((top, r, i) => (r.mos_quality > rows[top]!.mos_quality ? i : top), 0);
  const worst = rows.reduce((low, r, i) => (r.mos_quality < rows[low]!.mos_quality ? i : low), 0);
  const guarded = changed(noisyScorer(rows, 0.2), (r, i) =>
    i === best || i === worst ? { ...r, reward: null, guards: [{ guard: 'blank', message: 'flat' }] } : r,
  );
  const { json, csv } = await run(rows, guarded);
  expect(json.guards).toMatchObject({ checked: 80, sound: 72 });
  expect(json.guards.guards).toEqual([
    { guard: 'blank', hits: 2, falseAlarms: 1, falseAlarmShare: 0.013889 },
  ]);
  expect(json.guards.hits.filter((h) => h.falseAlarm).map((h) => h.name)).toEqual([names[best]]);
  expect(csv).toContain(',blank,');
});

test('families share the name up to the first underscore', () => {
  expect(['sd1.5_lowstep', 'sdxl', '_odd'].map(familyOf)).toEqual(['sd1.5', 'sdxl', '_odd']);
});

describe('the printed summary', () => {
  async function printed(score: ScoreFunction): Promise<string[]> {
    const { report } = await run(rows, score);
    let text = '';
    printSummary({ ...report, timings: { scoreSeconds: 2, imagesPerSecond: 40 } }, (t) => {
      text += t;
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
    return text.replace(/\x1b\[\d+m/g, '').split('\n');
  }

  test('fits 80 columns and lines up', async () => {
    const lines = await printed(noisyScorer(rows, 0.6));
    expect(Math.max(...lines.map((l) => l.length))).toBeLessThanOrEqual(80);
    expect(lines[0]).toBe('fake 1.2.3 (fp32) on ratings.csv');
    expect(lines[1]).toBe('80 of 80 images scored, 40.0 images/s');
    const head = lines.findIndex((l) => l.startsWith('aspect'));
    expect(lines[head + 1]).toMatch(/^quality +80 +0\.\d{3} +0\.\d{3} to 0\.\d{3}( +0\.\d{3}){4} +100\.0 %$/);
    expect(lines[head + 1]!.length).toBe(lines[head]!.length);
    expect(lines[head + 2]).toMatch(/^alignment \* +80/);
    expect(lines.join('\n')).toMatch(/best of 4 by quality: +MOS \d/);
  });

  test('names the first failures and counts the rest', async () => {
    const fail = changed(noisyScorer(rows, 0.1), (r, i) =>
      i < 8 ? failedResult(r.id, 'IMAGE_CORRUPT', 'no') : r,
    );
    const lines = await printed(fail);
    expect(lines[1]).toBe('72 of 80 images scored, 8 failed, 40.0 images/s');
    expect(lines.filter((l) => l.startsWith('failed'))).toHaveLength(5);
    expect(lines.join('\n')).toContain('and 3 more, all in report.json');
  });
});
