/** `assay score --write-metadata` and `--show-metadata`, as their users run them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILES, PROMPT } from '../files/metadata/containers.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, toSharp } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

let files: Record<string, Buffer>;
beforeAll(async () => {
  const names = ['comfyui.png', 'xmp.jpg', 'animated.webp'];
  files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await FILES[name]!()])));
});

/** A folder with a model and images. */
function setUp(images: Record<string, Uint8Array | string>) {
  const folder = tempFolder();
  writeModel(join(folder, 'models'), {});
  mkdirSync(join(folder, 'images'));
  const at = (name: string) => join(folder, 'images', name);
  for (const [name, bytes] of Object.entries(images)) writeFileSync(at(name), bytes);
  const flags = ['--models', join(folder, 'models'), '-s', 'test-bright', '--data-dir', join(folder, 'data')];
  const write = (...args: string[]) => assay(['score', ...args, '--write-metadata', ...flags]);
  const show = (...args: string[]) => assay(['score', ...args, '--show-metadata']);
  return { at, write, show };
}

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('assay score --write-metadata', () => {
  it('keeps the scores that it prints, which --show-metadata gives back', async () => {
    const { at, write, show } = setUp(files);
    const written = await write(at('.'), '-f', 'jsonl');
    expect([written.code, written.stderr]).toEqual([0, '']);
    const shown = await show(at('.'), '-f', 'jsonl');
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    const results = lines(written.stdout);
    expect(results).toHaveLength(3);
    const kept = lines(shown.stdout);
    expect(kept.map(({ source }) => source)).toEqual(results.map(({ source }) => source));
    for (const [i, { assay, error }] of kept.entries()) {
      const { sha256, scorer, aspects, reward, guards, decision, reasons } = results[i];
      expect(error).toBeNull();
      const quality = { quality: aspects.quality };
      expect(assay).toMatchObject({
        version: 1,
        sha256,
        scorer,
        aspects: quality,
        reward,
        guards,
        decision,
        reasons,
      });
      expect(Math.abs(Date.now() - Date.parse(assay.at))).toBeLessThan(60_000);
    }
    expect(readFileSync(at('comfyui.png')).includes(PROMPT)).toBe(true);
  });

  it('gives the same scores again after that, and keeps one of them', async () => {
    const { at, write, show } = setUp(files);
    const [first, second] = [await write(at('.'), '-f', 'jsonl'), await write(at('.'), '-f', 'jsonl')];
    const scores = (text: string) => lines(text).map(({ aspects }) => aspects.quality.score);
    expect(scores(second.stdout)).toEqual(scores(first.stdout));
    const shown = lines((await show(at('.'), '-f', 'jsonl')).stdout).map(({ assay }) => assay.sha256);
    expect(shown).toEqual(lines(second.stdout).map(({ sha256 }) => sha256));
  });

  it('says which files could not be written, and exits 3 with all scores printed', async () => {
    const gif = await toSharp(picture(64, 64)).gif().toBuffer();
    const { at, write } = setUp({ ...files, 'b.gif': gif, 'text.png': 'hello' });
    const { code, stdout, stderr } = await write(at('.'), '-f', 'jsonl');
    expect(code).toBe(3);
    expect(lines(stdout).filter(({ error }) => error === null)).toHaveLength(4);
    expect(stderr).toMatch(
      /b\.gif: scores can be kept in PNG, JPEG and WebP files.*\n.*\[METADATA_UNSUPPORTED\]/,
    );
    expect(stderr.match(/METADATA_/g)).toHaveLength(1);
    expect(readFileSync(at('text.png'), 'utf8')).toBe('hello');
    expect(readdirSync(at('.')).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('assay score --show-metadata', () => {
  it('says of files without a score that they have none, which is no failure', async () => {
    const { at, show } = setUp(files);
    const { code, stdout } = await show(at('.'));
    expect(code).toBe(0);
    expect(stdout.match(/no score/g)).toHaveLength(3);
    expect(lines((await show(at('.'), '-f', 'jsonl')).stdout)[0]).toEqual({
      source: at('animated.webp'),
      assay: null,
      error: null,
    });
  });

  it('prints tables, JSON and CSV that agree, to a file too', async () => {
    const { at, write, show } = setUp(files);
    await write(at('comfyui.png'));
    const [table, json] = [await show(at('.')), await show(at('.'), '-f', 'json')];
    const out = at('scores.csv');
    const csv = await show(at('.'), '-f', 'csv', '--out', out);
    expect([table.code, json.code, csv.code, csv.stdout]).toEqual([0, 0, 0, '']);
    const found = JSON.parse(json.stdout).files;
    const rows = parse(readFileSync(out, 'utf8'), { columns: true }) as Record<string, string>[];
    expect(rows.map((row) => row.name)).toEqual(found.map((file: { source: string }) => file.source));
    const [kept, row] = [found.find((f: { assay: unknown }) => f.assay).assay, rows.find((r) => r.sha256)!];
    expect(Number(row.quality)).toBe(kept.aspects.quality.score);
    expect(row).toMatchObject({ at: kept.at, sha256: kept.sha256, scorer: 'test-bright@1.0.0' });
    expect(table.stdout).toContain(kept.at);
    expect(table.stdout).toMatch(/^image .*verdict +scorer +written$/m);
    expect(table.stdout).toMatch(/0 to 5, higher is better/);
  });

  it('exits 3 for what is no image, and shows the others', async () => {
    const { at, show } = setUp({
      ...files,
      'text.png': 'hello',
      'cut.webp': files['animated.webp']!.subarray(0, 99),
    });
    const { code, stdout } = await show(at('.'), at('absent.png'), '-f', 'jsonl');
    expect(code).toBe(3);
    const codes = Object.fromEntries(
      lines(stdout).map(({ source, error }) => [source.split('/').at(-1), error?.code ?? 'ok']),
    );
    expect(codes).toEqual({
      'absent.png': 'FILE_NOT_FOUND',
      'animated.webp': 'ok',
      'comfyui.png': 'ok',
      'cut.webp': 'IMAGE_CORRUPT',
      'text.png': 'METADATA_UNSUPPORTED',
      'xmp.jpg': 'ok',
    });
  });

  it('does not go with --write-metadata', async () => {
    const { at, write } = setUp(files);
    const { code, stderr } = await write(at('.'), '--show-metadata');
    expect(code).toBe(2);
    expect(stderr).toMatch(/cannot be used with/);
  });
});
