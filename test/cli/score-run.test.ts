/** `assay score` in use: stopped, gone on with, printed into files and pipes, called from elsewhere. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readPrompts } from '../../src/cli/score/prompts.ts';
import { checkOut } from '../../src/cli/terminal/out.ts';
import { assay, outcomeOf, type StartOptions, start } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let good: Buffer;
beforeAll(async () => {
  good = await png(picture(64, 64));
});

/** A folder with a model and `count` different images; `score` runs on them. */
function setUp(count: number) {
  const folder = tempFolder();
  writeModel(join(folder, 'models'), { text: true, id: 'test-text' });
  writeModel(join(folder, 'models'), {
    version: '2.0.0',
    id: 'test-text',
    text: true,
    files: { 'extra.bin': 'x' },
  });
  mkdirSync(join(folder, 'images'));
  const names = Array.from({ length: count }, (_, i) => `${i}.png`);
  for (const name of names)
    writeFileSync(join(folder, 'images', name), Buffer.concat([good, Buffer.from(name)]));
  const at = (name: string) => join(folder, name);
  const flags = (version = '1.0.0') => [
    '--models',
    at('models'),
    '-s',
    `test-text@${version}`,
    '--data-dir',
    at('data'),
  ];
  const begin = (args: string[], options?: StartOptions) => {
    const child = start(['score', ...args, ...flags()], options);
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const score = (...args: string[]) => assay(['score', at('images'), ...args, ...flags()]);
  return { folder, at, begin, score, flags };
}

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');
const sourcesIn = (path: string): string[] => linesOf(path).map((line) => JSON.parse(line).source);
const hasBytes = (path: string) => () => expect(statSync(path).size).toBeGreaterThan(0);

describe('Ctrl-C', () => {
  it.each(['jsonl', 'csv'] as const)('keeps what is done in %s, and a second run goes on', async (format) => {
    const { at, begin, score } = setUp(500);
    const out = at(`scores.${format}`);
    const child = begin([at('images'), '--out', out]);
    const ended = outcomeOf(child);
    await vi.waitFor(hasBytes(`${out}.part`), { interval: 5, timeout: 20_000 });
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    const [, done] = /stopped after (\d+) of 500; what is done is in \S+, and --resume goes on/.exec(stderr)!;
    const header = format === 'csv' ? 1 : 0;
    expect([code, linesOf(out).length - header]).toEqual([130, Number(done)]);
    expect(readFileSync(out, 'utf8')).not.toContain('CANCELLED');
    expect(Number(done)).toBeLessThan(500);

    const again = await score('--out', out, '--resume');
    expect([again.code, again.stderr]).toEqual([
      0,
      `resume: ${done} of 500 images done already\n500 scored, 0 failed → ${out}\n`,
    ]);
    expect(new Set(linesOf(out)).size).toBe(500 + header);
    expect(existsSync(`${out}.part`)).toBe(false);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)(
    '(%s) prints what is done to the terminal, and JSON that is whole',
    async (signal) => {
      const { at, begin } = setUp(600);
      const child = begin([at('images'), '-f', 'json']);
      const ended = outcomeOf(child);
      await once(child.stdout!, 'data');
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      const { results, stopped } = JSON.parse(stdout);
      expect([code, stderr]).toEqual([130, `stopped after ${results.length} of 600\n`]);
      expect(stopped).toEqual({ after: results.length, of: 600 });
    },
  );

  it('is not needed by a reader that is slow: the scoring waits for it', async () => {
    const { at, begin } = setUp(300);
    const child = begin([at('images'), '-f', 'jsonl']);
    await vi.waitFor(() => expect(child.stdout!.readableLength).toBeGreaterThan(60_000), {
      interval: 5,
      timeout: 20_000,
    });
    const { code, stdout, stderr } = await outcomeOf(child);
    expect([code, stdout.trim().split('\n').length, stderr]).toEqual([0, 300, '']);
  });

  it('does not wait for a pipe that never answers', async () => {
    const { at, begin } = setUp(3);
    execFileSync('mkfifo', [at('images/pipe.png')]);
    const child = begin([at('images/0.png'), at('images/pipe.png'), '-f', 'jsonl']);
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    // The read itself cannot be given up: a second Ctrl-C ends the process, once it can only be a second one.
    await once(child.stderr!, 'data');
    await pause(300);
    child.kill('SIGINT');
    expect((await ended).stderr).toBe('stopped after 1 of 2\n');
  });
});

describe('--out', () => {
  it('never takes the place of an image, nor of a file of someone else', async () => {
    const { at, score } = setUp(2);
    writeFileSync(at('notes.txt'), 'my notes');
    writeFileSync(at('table.csv'), 'name,quality\n0.png,3\n');
    writeFileSync(at('rows.jsonl'), '{"id":"a","text":"mine"}\n');
    symlinkSync(at('images/1.png'), at('link.csv'));
    for (const target of ['images/0.png', 'new.PNG', 'notes.txt', 'table.csv', 'rows.jsonl', 'link.csv'])
      expect(() => checkOut(at(target)), target).toThrow(/name of an image|did not write/);
    const { code, stderr } = await score('--out', at('images/0.png'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/name of an image.* filled in by the shell/)]);
    expect(readFileSync(at('images/1.png'))).toEqual(Buffer.concat([good, Buffer.from('1.png')]));
    expect((await score('--out', at('notes.txt'), '--force')).code).toBe(0);
    expect(readFileSync(at('notes.txt'), 'utf8')).toMatch(/^image /);
  });

  it('takes the place of an older table when it is whole, and is read by its ending', async () => {
    const { at, score } = setUp(2);
    for (const [name, beginning] of [
      ['a.csv', 'name,quality'],
      ['a.json', '{\n  "results": ['],
      ['a.jsonl', '{"id":"'],
      ['a.txt', 'image '],
    ] as const) {
      expect((await score('--out', at(name))).code).toBe(0);
      expect(readFileSync(at(name), 'utf8').startsWith(beginning), name).toBe(true);
      expect(() => checkOut(at(name)), name).not.toThrow();
    }
    writeFileSync(at('a.csv'), `${linesOf(at('a.csv'))[0]}\nold\n`);
    expect((await score('--out', at('a.csv'))).code).toBe(0);
    expect(linesOf(at('a.csv'))).toHaveLength(3);
    expect((await score('--out', '/dev/null')).code).toBe(0);
    const full = existsSync('/dev/full') ? await score('--out', '/dev/full', '-f', 'csv') : undefined;
    if (full)
      expect([full.code, full.stderr]).toEqual([
        2,
        expect.stringMatching(/\/dev\/full cannot be written: .*ENOSPC.*\[OUTPUT_UNWRITABLE\]/s),
      ]);
  });

  it('goes on with what an earlier run left beside it, and never with what somebody else did', () => {
    const { at } = setUp(0);
    const part = (name: string, text: string) => writeFileSync(at(`${name}.part`), text);
    part('a.csv', 'name,quality,quality_percentile,quality_low\n');
    part('a.json', '{\n  "results": [');
    part('a.jsonl', '{"id":"0","source":"0.png","sha');
    for (const name of ['a.csv', 'a.json', 'a.jsonl']) {
      expect(() => checkOut(at(name)), name).toThrow(
        /results of a run that was cut off; go on with --resume/,
      );
      expect(() => checkOut(at(name), { append: true }), name).not.toThrow();
    }
    part('b.csv', 'name,quality\n0.png,3\n');
    part('b.jsonl', '{"id":1}\n');
    for (const name of ['b.csv', 'b.jsonl'])
      for (const append of [false, true])
        expect(() => checkOut(at(name), { append }), name).toThrow(
          /stands in \S+\.part until it is whole, and there is a file that is no table of Assay's; move it/,
        );
    expect(() => checkOut(at('b.csv'), { force: true })).not.toThrow();
    part('c.csv', '');
    expect(() => checkOut(at('c.csv'))).not.toThrow();
  });
});

describe('what is told of a file of results', () => {
  it('is how many are scored, and who failed and why, on success too', async () => {
    const { at, score } = setUp(3);
    const table = ['--out', at('a.csv')];
    expect((await score(...table)).stderr).toBe(`3 scored, 0 failed → ${at('a.csv')}\n`);
    writeFileSync(at('images/1.png'), '');
    const { code, stderr, stdout } = await score(at('gone.png'), ...table);
    expect([code, stdout, stderr]).toEqual([
      3,
      '',
      `2 scored, 2 failed: ${at('gone.png')} (no such file or folder: ${at('gone.png')}), ${at('images/1.png')} (the image has no bytes) → ${at('a.csv')}\n`,
    ]);
    for (const i of [4, 5, 6, 7]) writeFileSync(at(`images/${i}.png`), '');
    expect((await score('--out', at('b.json'))).stderr).toMatch(
      /^2 scored, 5 failed: \S+1\.png .*, and 2 more → \S+b\.json\n$/,
    );
  });
});

describe('--resume', () => {
  it('does again what changed, what failed in passing, and what was cut short; nothing else', async () => {
    const { at, score } = setUp(4);
    const out = at('a.jsonl');
    const prompts = at('prompts.csv');
    writeFileSync(prompts, 'name,prompt\n0.png,a cat\n1.png,a cat\n2.png,a cat\n3.png,a cat\n');
    expect((await score('--out', out, '--prompts', prompts)).code).toBe(0);
    const before = linesOf(out);
    writeFileSync(prompts, 'name,prompt\n0.png,a cat\n1.png,a dog\n2.png,a cat\n3.png,a cat\n');
    writeFileSync(at('images/2.png'), good);
    writeFileSync(out, `${before.slice(0, 3).join('\n')}\n${before[3]!.slice(0, 60)}`);
    const { code, stderr } = await score('--out', out, '--prompts', prompts, '--resume');
    expect([code, stderr]).toEqual([
      0,
      `resume: 1 of 4 images done already\nresume: 2 done again: the image or its prompt is another, or it failed in passing\n4 scored, 0 failed → ${out}\n`,
    ]);
    expect(sourcesIn(out)).toHaveLength(4);
    expect(linesOf(out)[0]).toBe(before[0]);
    expect(linesOf(out).map((line) => JSON.parse(line).prompt)).toEqual(['a cat', 'a dog', 'a cat', 'a cat']);
  });

  it('starts where there is nothing yet, takes a killed run up, and counts its failures', async () => {
    const { at, score } = setUp(3);
    writeFileSync(at('images/1.png'), 'no image');
    const out = at('a.csv');
    expect((await score('--out', out, '--resume')).code).toBe(3);
    const all = readFileSync(out, 'utf8');
    writeFileSync(`${out}.part`, all);
    writeFileSync(out, all.slice(0, all.indexOf('\n') + 1));
    const { code, stderr } = await score('--out', out, '--resume');
    expect([code, stderr]).toEqual([
      3,
      `resume: 3 of 3 images done already\n2 scored, 1 failed: ${at('images/1.png')} (IMAGE_UNSUPPORTED) → ${out}\n`,
    ]);
    expect(readFileSync(out, 'utf8')).toBe(all);
  });

  it.each(['jsonl', 'csv'])(
    'judges by the thresholds of now, and moves what they reject (%s)',
    async (format) => {
      const { at, score } = setUp(3);
      const out = at(`a.${format}`);
      await score('--out', out);
      const before = readFileSync(out, 'utf8');
      const policy = (min: number) => {
        writeFileSync(at('policy.json'), JSON.stringify({ aspects: { quality: { minScore: min } } }));
        return ['--policy', at('policy.json')];
      };
      const stricter = await score('--out', out, '--resume', ...policy(4.9), '--move-rejects', at('bin'));
      expect(stricter.stderr).toContain('3 get another verdict');
      expect(stricter.stderr).toContain(`moved 3 images to ${at('bin')}`);
      expect(readFileSync(out, 'utf8').match(/quality \d\.\d+ is below 4\.90/g)).toHaveLength(3);
      await assay(['rejects', 'restore', '--all', '--reject-dir', at('bin'), '--data-dir', at('data')]);
      const milder = await score('--out', out, '--resume', ...policy(0.1), '--move-rejects', at('bin'));
      expect(milder.stderr).toContain('moved 0 images');
      expect(readFileSync(out, 'utf8')).toBe(before);
    },
  );

  it('passes over lines that hold no result', async () => {
    const { at, score } = setUp(2);
    const out = at('a.jsonl');
    await score('--out', out);
    const lines = linesOf(out);
    writeFileSync(out, `${lines[0]}\nnull\n5\n[]\n{}\n{"id":3}\n"x"\n`);
    const { code, stderr } = await score('--out', out, '--resume');
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 of 2 images done already')]);
    expect(linesOf(out)).toHaveLength(2);
  });

  it('does not mix two scorers, or two formats', async () => {
    const { at, score, flags } = setUp(2);
    await score('--out', at('a.jsonl'));
    const args = ['score', at('images'), '--resume', '--out', at('a.jsonl')];
    const other = await assay([...args, ...flags('2.0.0')]);
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringMatching(/was scored by test-text@1\.0\.0 .*this is test-text@2\.0\.0/),
    ]);
    expect((await score('--out', at('a.jsonl'), '--resume', '-f', 'csv')).stderr).toContain(
      'is not in the format csv',
    );
    expect(sourcesIn(at('a.jsonl'))).toHaveLength(2);
  });
});

describe('prompts', () => {
  it('go to the image that the table means, and whoever has no partner is told', async () => {
    const { at, score } = setUp(0);
    for (const name of ['x/1.png', 'y/1.png', 'z/3.png', 'z/4.png']) {
      mkdirSync(join(at('images'), name, '..'), { recursive: true });
      writeFileSync(join(at('images'), name), good);
    }
    const rows =
      '\ufeffsep=;\nFile Name;Prompt\nx/1.png;a red cat\ny\\1;"dog; red"\nw/9.png;lost\nz/4.png;\n';
    writeFileSync(at('prompts.csv'), Buffer.from(rows, 'utf16le'));
    const { code, stdout, stderr } = await score('--prompts', at('prompts.csv'), '-f', 'json');
    const { results, prompts } = JSON.parse(stdout);
    expect([code, results.map((r: { prompt: string }) => r.prompt)]).toEqual([
      0,
      ['a red cat', 'dog; red', null, null],
    ]);
    expect(results.slice(2).map((r: { notes: string[] }) => r.notes)).toEqual([
      ['prompts.csv has no row for it'],
      ['prompts.csv has an empty prompt for it (line 6), which is none'],
    ]);
    expect(prompts).toEqual({
      table: 'prompts.csv',
      images: 3,
      rowsWithoutImage: { count: 1, first: ['w/9.png (line 5)'] },
      imagesWithoutRow: { count: 1, first: [join(at('images'), 'z/3.png')] },
    });
    expect(stderr).toMatch(/no image here for 1 row: w\/9.png \(line 5\)\n.*no row for 1 image: \S+3.png/);
  });

  it.each<[string, string, RegExp]>([
    ['two images of that name', 'name,prompt\n1.png,a cat\n', /line 2: "1.png" fits 2 images/],
    ['two prompts for one', 'name,prompt\nx/1.png,a\nx/1.png,b\n', /line 2 and line 3 both name/],
    ['no column of prompts', 'name,size\nx/1.png,3\n', /line 1: no column of prompts; found "name", "size"/],
    [
      'a comma too many',
      'name,prompt\nx/1.png,a red, red cat\n',
      /line 2: 3 cells.*put text that contains "," in quotes/,
    ],
    ['an empty file', '', /the file is empty/],
    [
      'a prompt that is an object',
      '[{"name": "x/1.png", "prompt": "a cat"}, {"name": "y/1.png", "prompt": {"text": "a dog"}}]',
      /entry 2, column "prompt": expected text, found \{"text":"a dog"\}/,
    ],
    [
      'prompts that are a list',
      '{"name": "x/1.png", "prompt": "a cat"}\n{"name": "y/1.png", "prompt": ["a dog", "dog"]}\n',
      /line 2, column "prompt": expected text, found \["a dog","dog"\]/,
    ],
    [
      'a name that is an object, however long',
      `[{"image": {"url": "${'x'.repeat(100)}"}, "prompt": "a cat"}]`,
      /entry 1, column "image": expected text, found \{"url":"x{40,60}…$/,
    ],
  ])('%s: an error that says where', (_, table, message) => {
    const path = join(tempFolder(), 'prompts.csv');
    writeFileSync(path, table);
    const read = () => readPrompts(path, ['images/x/1.png', 'images/y/1.png'], ['images'], undefined);
    expect(read).toThrow(
      expect.objectContaining({ code: 'PROMPTS_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('that cannot be read are an error for machines, where they read the results', async () => {
    const { at, score } = setUp(1);
    const { code, stdout, stderr } = await score('--prompts', at('images/0.png'), '-f', 'jsonl');
    const { error } = JSON.parse(stderr);
    expect([code, stdout, error.code]).toEqual([2, '', 'PROMPTS_INVALID']);
    expect(error.message).toMatch(/0\.png: it is an image/);
  });
});

describe('where and how it is called', () => {
  it('counts what it skips, and names images that it cannot read', async () => {
    const { at, score } = setUp(1);
    for (const name of ['a.txt', 'b.txt', 'c.safetensors', 'd.psd', '.e.png'])
      writeFileSync(join(at('images'), name), 'x');
    const { code, stdout, stderr } = await score('-f', 'json', at('images/*'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout).skipped).toEqual({ '.txt': 2, hidden: 1, '.safetensors': 1, '.psd': 1 });
    expect(stderr).toMatch(
      /^not read, since Photoshop is not a format .*: \S+d\.psd\nskipped 5 files: 2 \.txt, /,
    );
  });

  it('takes a folder that a pattern matches as if it was named', async () => {
    const { at, begin } = setUp(2);
    mkdirSync(at('images/sub.png'));
    writeFileSync(at('images/sub.png/deep.png'), good);
    const { stdout } = await outcomeOf(begin([at('images/*'), at('images/1.png'), '-f', 'csv']));
    expect(stdout.split('\n').filter((line) => line.includes('.png'))).toHaveLength(3);
    const { stdout: some } = await outcomeOf(begin([at('images/{0,9}.png'), '-f', 'csv']));
    expect(some.trim().split('\n')).toHaveLength(2);
  });

  it('reads the standard input', async () => {
    const { begin } = setUp(0);
    const { code, stdout } = await outcomeOf(begin(['-', '-f', 'jsonl'], { input: good }));
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ source: '-', error: null, width: 64 }),
    ]);
  });

  it('understands names from where the user stands, whatever npm does', async () => {
    const { at, begin } = setUp(1);
    const args = ['images/*.png', '--out', 'scores.csv'];
    const npm = begin(args, { cwd: ROOT, env: { INIT_CWD: at('.') } });
    expect((await outcomeOf(npm)).code).toBe(0);
    expect(linesOf(at('scores.csv'))[1]).toMatch(/^images\/0\.png,/);
    // Elsewhere INIT_CWD belongs to another script.
    const other = begin(['images/0.png'], { cwd: at('.'), env: { INIT_CWD: '/' } });
    expect((await outcomeOf(other)).code).toBe(0);
  });

  it('prints names that would break the table or steer the terminal without harm', async () => {
    const { at, score } = setUp(0);
    const name = 'a\u001b[31m\nb=ü\u202e\u2066.png';
    writeFileSync(join(at('images'), name), good);
    expect((await score()).stdout).toContain('a\ufffd[31m\ufffdb=ü\ufffd\ufffd.png');
    expect(JSON.parse((await score('-f', 'jsonl')).stdout).source).toBe(join(at('images'), name));
  });
});
