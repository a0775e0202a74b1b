/** `assay score` as its users run it: a child process, real files. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { beforeAll, describe, expect, it } from 'vitest';
import { assay, type Environment } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { jpeg, picture, png, pngHeader } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

let good: Buffer;
beforeAll(async () => {
  good = await png(picture(64, 64));
});

/** A folder with a model and images; `score` runs there with that model. */
function setUp(files: Record<string, Uint8Array | string> = {}, text = false) {
  const folder = tempFolder();
  writeModel(join(folder, 'models'), { text });
  mkdirSync(join(folder, 'images'));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, 'images', name), bytes);
  const at = (name: string) => join(folder, 'images', name);
  const flags = [
    '--models',
    join(folder, 'models'),
    '--scorer',
    'test-bright',
    '--data-dir',
    join(folder, 'data'),
  ];
  const score = (args: string[], env?: Environment) => assay(['score', ...args, ...flags], env);
  return { folder, at, score, flags };
}

describe('assay score', () => {
  it('prints a table, in the order of the files, and says what the numbers mean', async () => {
    const { at, score } = setUp({ 'a10.png': good, 'a9.png': good, 'b.jpg': await jpeg(picture(64, 64)) });
    const { code, stdout, stderr } = await score([at('.')]);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^image +quality +percentile +interval +reward +verdict$/);
    expect(
      lines.slice(1, 4).map((l) =>
        l
          .match(/(\S+)\s/)![1]!
          .split('/')
          .at(-1),
      ),
    ).toEqual(['a9.png', 'a10.png', 'b.jpg']);
    expect(stdout).toMatch(/0 to 5, higher is better\ninterval: 90 % prediction interval; reward: 0 to 1/);
    expect(stdout).toMatch(/scorer: test-bright 1\.0\.0/);
  });

  it('scores what it can and exits 3 when an image fails', async () => {
    const whole = await png(picture(256, 256));
    const { at, score } = setUp({
      'good.png': good,
      'text.png': 'hello',
      'empty.png': '',
      'cut.png': whole.subarray(0, 900),
      'huge.png': await pngHeader(30_000, 30_000),
    });
    const { code, stdout } = await score([at('.'), at('absent.png'), '--format', 'jsonl']);
    expect(code).toBe(3);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const codes = Object.fromEntries(results.map((r) => [r.source.split('/').at(-1), r.error?.code ?? 'ok']));
    expect(codes).toEqual({
      'absent.png': 'FILE_NOT_FOUND',
      'cut.png': 'IMAGE_CORRUPT',
      'empty.png': 'IMAGE_EMPTY',
      'good.png': 'ok',
      'huge.png': 'IMAGE_TOO_LARGE',
      'text.png': 'IMAGE_UNSUPPORTED',
    });
    for (const result of results)
      if (result.error) expect(result).toMatchObject({ reward: null, aspects: null, decision: null });
  });

  it('prints JSON and CSV that agree, to a file too', async () => {
    const { folder, at, score } = setUp({ 'a.png': good, 'bad,"name".png': 'x' });
    const out = join(folder, 'scores.csv');
    const json = await score([at('.'), '-f', 'json']);
    const csv = await score([at('.'), '-f', 'csv', '--out', out]);
    expect([json.code, csv.code]).toEqual([3, 3]);
    expect(csv.stdout).toBe('');
    const { results } = JSON.parse(json.stdout);
    const rows = parse(readFileSync(out, 'utf8'), { columns: true }) as Record<string, string>[];
    expect(rows.map((r) => r.name)).toEqual(results.map((r: { source: string }) => r.source));
    expect(Number(rows[0]!.quality)).toBeCloseTo(results[0].aspects.quality.score, 6);
    expect(rows[1]!.error).toBe('IMAGE_UNSUPPORTED');
  });

  it('takes globs, and each file once', async () => {
    const { at, score } = setUp({ 'a.png': good, 'b.png': good, 'notes.txt': 'x' });
    const { stdout } = await score([at('*'), at('a.png'), '-f', 'jsonl']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  it('takes each file once under whatever links lead to it, by its own name', async () => {
    const { folder, at, score } = setUp({ 'b.jfif': good });
    mkdirSync(at('deep'));
    writeFileSync(at('deep/c.png'), good);
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, good);
    symlinkSync(at('b.jfif'), at('a-link.jpg'));
    symlinkSync('../a-link.jpg', at('deep/link-of-link.jpg'));
    for (const name of ['x.png', 'y.png']) symlinkSync(elsewhere, at(name));
    symlinkSync(at('deep'), at('linked-folder'));
    const names = async (...args: string[]) =>
      (await score([...args, '-f', 'jsonl'])).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).source.slice(at('.').length + 1));
    expect(await names(at('.'))).toEqual(['b.jfif', 'deep/c.png', 'x.png']);
    expect(await names(at('*'), at('a-link.jpg'))).toEqual(['b.jfif', 'x.png', 'deep/c.png']);
    expect(await names(at('a-link.jpg'), at('b.jfif'))).toEqual(['a-link.jpg']);
  });

  it('reads prompts from a CSV, by file name', async () => {
    const folder = tempFolder();
    writeModel(join(folder, 'models'), { id: 'test-text', text: true });
    writeFileSync(join(folder, 'a.png'), good);
    writeFileSync(join(folder, 'b.png'), good);
    writeFileSync(join(folder, 'prompts.csv'), '\ufeffname,prompt\na.png,"a red, red cat"\n');
    const flags = ['--models', join(folder, 'models'), '-s', 'test-text', '-f', 'jsonl'];
    const { stdout } = await assay(['score', folder, '--prompts', join(folder, 'prompts.csv'), ...flags]);
    const [a, b] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(a).toMatchObject({
      prompt: 'a red, red cat',
      aspects: { alignment: { score: expect.any(Number) } },
    });
    expect(b).toMatchObject({ prompt: null, aspects: { alignment: null } });
  });

  it('uses no colour when NO_COLOR is set, and colour when forced', async () => {
    const { at, score } = setUp({ 'a.png': good });
    const colour = `${String.fromCharCode(27)}[`;
    const plain = await score([at('a.png')], { NO_COLOR: '1', FORCE_COLOR: undefined });
    const forced = await score([at('a.png')], { NO_COLOR: undefined, FORCE_COLOR: '1' });
    expect(plain.stdout).not.toContain(colour);
    expect(forced.stdout).toContain(colour);
  });

  it('survives a reader that stops reading', async () => {
    const { at, flags } = setUp(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.png`, good])));
    const cli = new URL('../../src/cli/index.ts', import.meta.url).pathname;
    const command = `"${process.execPath}" "${cli}" score "${at('.')}" -f jsonl ${flags.join(' ')} | head -1`;
    expect(execFileSync('bash', ['-c', `set -o pipefail; ${command}`], { encoding: 'utf8' })).toMatch(/^\{/);
  });
});

describe('assay score says what is wrong with', () => {
  it.each<[string, (at: (name: string) => string) => string[], number, RegExp]>([
    ['an empty folder', (at) => [at('.')], 3, /no image files in .*looked for \.png/],
    ['a missing file', (at) => [at('nope.png')], 3, /no such file or folder/],
    ['a glob that matches nothing', (at) => [at('*.gif')], 3, /no image files/],
    [
      'an unknown flag, with the near one',
      (at) => [at('.'), '--promt', 'x'],
      2,
      /unknown option '--promt'[\s\S]*Did you mean --prompt/,
    ],
    [
      'an unknown format',
      (at) => [at('.'), '--format', 'xml'],
      2,
      /Allowed choices are table, json, jsonl, csv/,
    ],
    [
      'an unknown scorer, with the near one',
      (at) => [at('.'), '--scorer', 'test-brigt'],
      2,
      /did you mean "test-bright"\?.*[\s\S]*\[UNKNOWN_SCORER\]/,
    ],
    [
      'an output file that cannot be written',
      (at) => [at('.'), '--out', at('no/such/scores.csv')],
      2,
      /--out: cannot write .*scores\.csv/,
    ],
    ['no arguments', () => [], 2, /missing required argument/],
    ['both kinds of prompts', (at) => [at('.'), '--prompt', 'a', '--prompts', 'b'], 2, /not both/],
    ['a thread count that is no number', (at) => [at('.'), '--threads', 'many'], 2, /whole number/],
    ['an unknown provider', (at) => [at('.'), '--providers', 'tpu'], 2, /providers\.0 is "tpu"; expected/],
    ['an unknown variant', (at) => [at('.'), '--variant', 'int2'], 2, /no variant "int2"; it has fp32/],
    [
      'a missing config',
      (at) => [at('.'), '--config', '/nowhere.json'],
      2,
      /cannot read the config \/nowhere\.json/,
    ],
  ])('%s', async (_name, args, code, message) => {
    const { at, score, flags } = setUp();
    const given = args(at);
    // A flag given twice: the last one counts, so the test's own comes last.
    const outcome = given.includes('--scorer')
      ? await assay(['score', ...flags, ...given])
      : await score(given);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout + outcome.stderr).toMatch(message);
  });

  it('a bad config key, naming key, value and expectation', async () => {
    const { folder, at, score } = setUp({ 'a.png': good });
    const path = join(folder, 'config.json');
    writeFileSync(path, '{"limits": {"maxPixles": 5}}');
    const { code, stderr } = await score([at('a.png'), '--config', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /config\.json: limits\.maxPixles is 5; expected a known key \(did you mean "maxPixels"\?\)/,
    );
  });

  it('a model folder with a wrong hash', async () => {
    const { folder, at, score } = setUp({ 'a.png': good });
    writeFileSync(join(folder, 'models/test-bright/calibration.json'), '{}');
    const { code, stderr } = await score([at('a.png')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/calibration\.json: sha256 is .*, the manifest says .*MODEL_HASH_MISMATCH/s);
  });

  it.runIf(existsSync('/proc/self/mem'))('a file that cannot be read', async () => {
    const { at, score } = setUp();
    symlinkSync('/proc/self/mem', at('unreadable.png'));
    symlinkSync('/nowhere', at('broken.png'));
    const { code, stdout } = await score([at('unreadable.png'), at('broken.png'), '-f', 'jsonl']);
    expect(code).toBe(3);
    const codes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).error.code);
    expect(codes.toSorted()).toEqual(['FILE_NOT_FOUND', 'FILE_UNREADABLE']);
  });
});
