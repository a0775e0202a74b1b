/** `assay score` as a sieve: what is listed, in which order, and what is done to the files. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expandImages } from '../../src/cli/input/images.ts';
import { demandsOf } from '../../src/cli/score/demands.ts';
import { ranking } from '../../src/cli/score/order.ts';
import { isRejectBin } from '../../src/files/rejects/recognise.ts';
import { readManifest } from '../../src/reward/model/manifest.ts';
import type { Policy } from '../../src/types/policy.ts';
import type { ScoreResult } from '../../src/types/result.ts';
import { aspectScore, failedResult, scoredResult } from '../eval/synthetic.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { flat, picture, png, toSharp } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

/** A picture whose brightness, and so its quality, is scaled. */
const shaded = (share: number): Promise<Buffer> => toSharp(picture(64, 64)).linear(share, 0).png().toBuffer();

/** Images from dark to bright, a blank one, and one that is none; `score` runs on them. */
async function setUp() {
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  mkdirSync(join(folder, 'images/deep'), { recursive: true });
  const at = (name: string) => join(folder, 'images', name);
  const files = { 'dark.png': shaded(0.5), 'deep/mid.png': shaded(0.8), 'bright.png': shaded(1.2) };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(at(name), await bytes);
  writeFileSync(at('blank.png'), await png(flat([250, 250, 250])));
  writeFileSync(at('broken.png'), 'no image');
  const dataDir = join(folder, 'data');
  const flags = ['--models', join(folder, 'models'), '-s', 'test-bright', '--data-dir', dataDir];
  const score = (...args: string[]) => assay(['score', at('.'), ...args, ...flags]);
  const names = (stdout: string) =>
    JSON.parse(stdout).results.map((r: ScoreResult) => r.source!.split('/images/')[1]);
  return { folder, at, score, names, dataDir };
}

describe('order', () => {
  const result = (id: string, quality: number, more: Partial<ScoreResult> = {}): ScoreResult => ({
    ...scoredResult(id, { quality: aspectScore(quality) }),
    reward: quality / 5,
    ...more,
  });
  const results = [
    result('b', 2),
    failedResult('failed', 'IMAGE_CORRUPT', 'no'),
    result('a10', 3),
    result('a9', 3),
    result('guarded', 4, { reward: null, guards: [{ guard: 'noise', message: 'static' }] }),
  ];
  const ranked = (...args: Parameters<typeof ranking>) => {
    const kept = ranking(...args);
    for (const r of results) kept.add(r);
    return kept.best().map(({ id }) => id);
  };

  it('is best first; what means nothing comes last, what failed after it; equals by name', () => {
    for (const sort of ['quality', 'reward'] as const)
      expect(ranked(sort)).toEqual(['a9', 'a10', 'b', 'guarded', 'failed']);
    expect(ranked('name')).toEqual(['a9', 'a10', 'b', 'failed', 'guarded']);
    expect(ranked('quality', 2)).toEqual(['a9', 'a10']);
  });

  it('keeps no more than it must', () => {
    const kept = ranking('quality', 3);
    for (let i = 0; i < 2000; i++) kept.add(result(String(i), (i * 7) % 2000));
    expect(kept.best().map((r) => r.aspects!.quality!.score)).toEqual([1999, 1998, 1997]);
  });
});

describe('assay score', () => {
  it('says where rewards with and without a prompt in them are compared', async () => {
    const { folder, at, dataDir } = await setUp();
    const models = join(folder, 'text');
    writeModel(models, { text: true, id: 'test-text' });
    const table = join(folder, 'prompts.csv');
    writeFileSync(table, 'name,prompt\ndark.png,a cat\n');
    const flags = [
      '--models',
      models,
      '-s',
      'test-text',
      '--data-dir',
      dataDir,
      '--prompts',
      table,
      '--top',
      '1',
    ];
    const mixed = await assay(['score', at('.'), ...flags]);
    expect(mixed.stderr).toContain('2 of 5 images have no prompt, and a reward without alignment');
    const fair = await assay(['score', at('.'), ...flags, '--sort', 'quality']);
    expect(fair.stderr).not.toContain('without alignment');
  });

  it('lists the best, says how many there are, and copies them without overwriting', async () => {
    const { score, names, folder } = await setUp();
    const best = join(folder, 'best');
    mkdirSync(best);
    writeFileSync(join(best, 'bright.png'), 'something else');
    const args = ['--sort', 'quality', '--top', '2', '-f', 'json', '--copy-top', best];
    const first = await score(...args);
    expect(names(first.stdout)).toEqual(['bright.png', 'deep/mid.png']);
    expect(JSON.parse(first.stdout).notes).toEqual(['the best 2 of 5 are listed']);
    expect(first.code).toBe(3); // broken.png
    expect(readdirSync(best).toSorted()).toEqual(['bright (2).png', 'bright.png', 'mid.png']);
    expect(readFileSync(join(best, 'bright.png'), 'utf8')).toBe('something else');
    expect((await score(...args)).stderr).toContain(`copied 0 images to ${best}, 2 there already`);
    expect(readdirSync(best)).toHaveLength(3);
    const blocked = await score('--top', '1', '--copy-top', join(best, 'bright.png'));
    expect(blocked.stderr).toMatch(/cannot copy the listed images to \S+bright\.png: [\s\S]*FILE_NOT_COPIED/);
  });

  it('lists only what has at least --min, and says what it leaves out', async () => {
    const { score, names } = await setUp();
    const least = await score('--min', 'quality=1.8', '-f', 'json');
    // What failed is never hidden.
    expect(names(least.stdout)).toEqual(['bright.png', 'broken.png', 'deep/mid.png']);
    expect(least.stderr).toContain('not listed: 2 of 5 images, below --min or without that score');
    const percentile = await score('--min', 'quality=30%', '--min', 'reward=.5', '-f', 'json');
    expect(names(percentile.stdout)).toEqual(['bright.png', 'broken.png']);
  });

  it('moves what the policy rejects to where `assay rejects` brings it back from', async () => {
    const { score, at, folder, dataDir } = await setUp();
    const [policy, bin] = [join(folder, 'policy.json'), join(at('.'), 'bin')];
    writeFileSync(policy, '{"aspects": {"quality": {"minScore": 1.5}}, "actions": {"reject": "tag"}}');
    const elsewhere = join(folder, 'elsewhere.png');
    copyFileSync(at('dark.png'), elsewhere);
    symlinkSync(elsewhere, at('link.png'));
    const moved = await score('--policy', policy, '--move-rejects', bin);
    expect(moved.code).toBe(3);
    expect(moved.stderr).toMatch(
      /its actions \(reject: tag\) are for `assay watch`; here --move-rejects moves/,
    );
    expect(moved.stderr).toMatch(/link\.png was left where it is: it is a link[\s\S]*FILE_NOT_MOVED/);
    expect(moved.stderr).toContain(`moved 2 images to ${bin}`);
    expect([existsSync(at('dark.png')), existsSync(at('blank.png')), existsSync(at('bright.png'))]).toEqual([
      false,
      false,
      true,
    ]);
    // The bin lies among the images, and is not looked into.
    expect((await score('--move-rejects', bin, '-f', 'csv')).stdout).not.toContain('dark');
    // Nor is it by a run that does not know of it, unless it is named.
    const unaware = await score('-f', 'json');
    expect([unaware.stdout.includes('dark'), JSON.parse(unaware.stdout).skipped]).toEqual([
      false,
      { 'reject bin': 1 },
    ]);
    expect(isRejectBin(bin)).toBe(true);
    expect(expandImages([bin]).paths).toHaveLength(2);
    expect(expandImages([join(at('.'), '**/*.png')]).paths.filter((path) => path.startsWith(bin))).toEqual(
      [],
    );
    expect(expandImages([join(at('.'), '*')]).paths.filter((path) => path.startsWith(bin))).toEqual([]);
    const rejects = (...args: string[]) =>
      assay(['rejects', ...args, '--reject-dir', bin, '--data-dir', dataDir]);
    expect((await rejects('list')).stdout).toMatch(/dark\.png .*quality 1\.\d+ is below 1\.50/);
    expect((await rejects('restore', '--all')).code).toBe(0);
    expect([existsSync(at('dark.png')), existsSync(at('blank.png'))]).toEqual([true, true]);
  });

  it('keeps the score in a file before it moves it', async () => {
    const { score, at, folder } = await setUp();
    const bin = join(folder, 'bin');
    const { stderr } = await score('--min', 'quality=1.5', '--move-rejects', bin, '--write-metadata');
    expect(stderr).toContain('moved 2 images');
    const [day] = readdirSync(bin);
    const [dark] = readdirSync(join(bin, day!)).filter((name) => /^dark\..*png$/.test(name));
    const shown = await assay(['score', join(bin, day!, dark!), '--show-metadata', '-f', 'json']);
    expect(JSON.parse(shown.stdout).files[0].assay).toMatchObject({ decision: 'reject' });
    expect(existsSync(at('bright.png'))).toBe(true);
  });

  it.each<[string[], RegExp]>([
    [['--copy-top', 'x'], /say which with --top N or --min/],
    [['--top', '0'], /at least 1/],
    [['--sort', 'alignment'], /scorer test-bright does not predict it/],
    [['--sort', 'beauty'], /Allowed choices are quality, alignment, authenticity, reward, name/],
    [['--resume'], /name it with --out/],
    [['--resume', '--out', 'x.txt'], /--resume needs --format jsonl or csv/],
    [['--resume', '--out', 'x.csv', '--top', '3'], /the file must hold every image/],
    [['--min', 'quality=30'], /scores go from 0 to 5; for a percentile write quality=30%/],
  ])('refuses %j', async (args, message) => {
    const folder = tempFolder();
    writeModel(join(folder, 'models'));
    const { code, stderr } = await assay([
      'score',
      folder,
      ...args,
      '--models',
      join(folder, 'models'),
      '-s',
      'test-bright',
    ]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('--min', () => {
  const base: Policy = { aspects: { quality: { minScore: 1 } }, minReward: 0.1, unsureWithinInterval: true };
  const demands = (...min: string[]) => {
    const folder = tempFolder();
    return demandsOf({ min }, base, readManifest(writeModel(folder)).manifest);
  };

  it('is put on top of the policy', () => {
    expect(demands('Quality = 2.5', 'quality=30%', 'reward=.4').policy).toEqual({
      aspects: { quality: { minScore: 2.5, minPercentile: 0.3 } },
      minReward: 0.4,
      unsureWithinInterval: true,
    });
    expect(demands().policy).toEqual(base);
  });

  it('shows what has the score; a doubt is none, and failures are always shown', () => {
    const { isShown } = demands('quality=2.5');
    expect([2.4, 2.5].map((score) => isShown(scoredResult('a', { quality: aspectScore(score) })))).toEqual([
      false,
      true,
    ]);
    expect(isShown(scoredResult('a', {}))).toBe(false);
    expect(isShown(failedResult('a', 'IMAGE_CORRUPT', 'no'))).toBe(true);
  });

  it.each<[string, RegExp]>([
    ['quality', /--min quality: expected quality=2\.5, quality=30% \(a percentile\) or reward=0\.4/],
    ['quality=-1', /expected quality=2\.5/],
    ['quality=101%', /at most 100 %/],
    ['beauty=3', /expected one of quality, alignment, authenticity, reward/],
    ['reward=40%', /expected a reward from 0 to 1/],
    ['quality=30', /scores go from 0 to 5; for a percentile write quality=30%/],
    ['alignment=1', /scorer test-bright does not predict it/],
  ])('refuses %s', (min, message) => {
    expect(() => demands(min)).toThrow(message);
  });
});
