/** `assay eval` as its users run it: a child process, real files. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

/** Rated images, the first of them missing, in a folder with a model that was fitted to half of the others. */
async function setUp(count: number) {
  const folder = tempFolder();
  const at = (name: string) => join(folder, name);
  const good = await png(picture(64, 64));
  const images = Array.from({ length: count }, (_, i) => Buffer.concat([good, Buffer.from(String(i))]));
  mkdirSync(at('images/deep'), { recursive: true });
  for (const [i, bytes] of images.entries()) writeFileSync(at(`images/deep/${i}.png`), bytes);
  const rows = ['gone.png;3', ...images.map((_, i) => `deep/${i};${(i % 5) + 0.5}`.replace('.', ','))];
  writeFileSync(at('ratings.csv'), `Image;Rating\n${rows.join('\n')}\n`);
  const hashes = images
    .filter((_, i) => i % 2 === 0)
    .map((bytes) => createHash('sha256').update(bytes).digest().subarray(0, 6));
  const fitted = { version: 1, title: 'Set', files: Buffer.concat(hashes).toString('base64'), names: '' };
  writeModel(at('models'), { files: { 'fitted.json': JSON.stringify(fitted) } });
  const flags = ['--models', at('models'), '-s', 'test-bright', '--data-dir', at('data')];
  const args = [
    'eval',
    '--images',
    at('images'),
    '--ratings',
    at('ratings.csv'),
    '--out',
    at('out'),
    ...flags,
  ];
  return { at, args };
}

it('reads the table, says what it guessed, and shows the worst misses', async () => {
  const { at, args } = await setUp(10);
  const { code, stdout } = await assay([...args, '--range', 'quality=0..10']);
  expect(code).toBe(0);
  const { images, failed, notes, scales } = JSON.parse(readFileSync(at('out/report.json'), 'utf8'));
  expect(images).toEqual({ rated: 10, scored: 10, failed: 0, unreached: 0 });
  expect(failed).toEqual([]);
  expect(notes).toContain('rows without an image here: 1 (gone.png (line 2)); the figures leave them out');
  expect(scales.quality.mappedFrom).toEqual([0, 10]);
  expect(notes.slice(0, 2)).toEqual(
    [
      'column "Rating" does not say what is rated, and was taken for quality',
      expect.stringMatching(/^5 of 10 images are among those that the scorer was fitted to \(Set\)/),
    ].reverse(),
  );
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    '5 of 10 images are among those that the scorer was fitted to',
  );
  expect(readFileSync(at('out/report.html'), 'utf8')).toMatch(
    /<img class="miss" src="data:image\/webp;base64,UklGR/,
  );
});

it('fails where an image that is there cannot be scored', async () => {
  const { at, args } = await setUp(4);
  writeFileSync(at('images/deep/2.png'), 'no image');
  expect((await assay(args)).code).toBe(3);
  const { images, failed } = JSON.parse(readFileSync(at('out/report.json'), 'utf8'));
  expect(images).toEqual({ rated: 4, scored: 3, failed: 1, unreached: 0 });
  expect(failed).toEqual([expect.objectContaining({ name: 'deep/2', code: 'IMAGE_UNSUPPORTED' })]);
});

it('reports what is done when Ctrl-C stops it', async () => {
  const { at, args } = await setUp(1500);
  const child = start(args);
  const ended = outcomeOf(child);
  await vi.waitFor(() => expect(existsSync(at('out'))).toBe(true), { interval: 5, timeout: 20_000 });
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  const { images, notes } = JSON.parse(readFileSync(at('out/report.json'), 'utf8'));
  expect(code).toBe(130);
  expect(images.unreached).toBeGreaterThan(0);
  expect(notes[0]).toBe(`stopped after ${1500 - images.unreached} of 1500 images: the figures are of these`);
  expect(stdout).toContain(`${images.unreached} not reached`);
  expect(existsSync(at('out/report.html'))).toBe(true);
});
