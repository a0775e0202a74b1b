/** `assay score --out` where it cannot write, and where another run writes already. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { assay, type Outcome, outcomeOf, start } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
const isUnix = process.platform !== 'win32';
/** Whether a small disk can be had without asking anyone. */
const hasMounts = isUnix && spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0;

let good: Buffer;
beforeAll(async () => {
  good = await png(picture(64, 64));
});

function setUp(count: number) {
  const folder = tempFolder();
  const at = (name: string) => join(folder, name);
  writeModel(at('models'), { id: 'test-bright' });
  for (const name of ['images', 'disk']) mkdirSync(at(name));
  for (let i = 0; i < count; i++)
    writeFileSync(at(`images/${i}.png`), Buffer.concat([good, Buffer.from(`${i}`)]));
  const flags = ['--models', at('models'), '-s', 'test-bright', '--data-dir', at('data')];
  const score = (...args: string[]) => assay(['score', at('images'), ...args, ...flags]);
  /** Runs it behind what a shell does first. */
  const scoreBehind = (first: string, ...args: string[]): Promise<Outcome> => {
    const line = [process.execPath, CLI, 'score', at('images'), ...args, ...flags];
    return outcomeOf(spawn('sh', ['-c', `${first} "$@"`, 'sh', ...line]));
  };
  return { at, flags, score, scoreBehind };
}

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

describe.runIf(isUnix)('a disk that takes no more', () => {
  it.runIf(hasMounts)('is told as that, not as wrong usage', async () => {
    const { at, scoreBehind } = setUp(100);
    const small = `unshare -rm sh -c 'mount -t tmpfs -o size=24k x ${at('disk')} && "$@"' sh`;
    const { code, stderr } = await scoreBehind(small, '--out', at('disk/a.jsonl'));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/a\.jsonl cannot be written: ENOSPC.*\[OUTPUT_UNWRITABLE\]/s),
    ]);
  });

  it('leaves what was written, and a run that finds room goes on with it', async () => {
    const { at, score, scoreBehind } = setUp(100);
    const out = at('disk/a.jsonl');
    const { code, stderr } = await scoreBehind('ulimit -f 64; exec', '--out', out);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/a\.jsonl cannot be written: EFBIG.*\[OUTPUT_UNWRITABLE\]/s),
    ]);
    expect(readdirSync(at('disk'))).toEqual(['a.jsonl.part']);
    const again = await score('--out', out, '--resume');
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringMatching(/resume: [1-9]\d* of 100 images done/),
    ]);
    const sources = readFileSync(out, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).source);
    expect(new Set(sources).size).toBe(100);
    expect(sources).toHaveLength(100);
  });
});

describe.runIf(isUnix)('two runs with one --out', () => {
  it('the second is refused, and the first ends as if alone', async () => {
    const { at, flags, score } = setUp(3);
    execFileSync('mkfifo', [at('pipe.png')]);
    const out = at('disk/a.csv');
    const first = start(['score', at('images'), at('pipe.png'), '--out', out, ...flags]);
    onTestFinished(() => void first.kill('SIGKILL'));
    const ended = outcomeOf(first);
    await vi.waitFor(() => expect(linesOf(`${out}.part`)).toHaveLength(4), { timeout: 20_000 });
    for (const how of ['--resume', '--force']) {
      const { code, stderr } = await score('--out', out, how);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/a\.csv.*process \d+ on.*\[OUTPUT_HELD\]/s)]);
      expect(stderr).toContain(`process ${first.pid} `);
    }
    writeFileSync(at('pipe.png'), good);
    expect((await ended).code).toBe(0);
    expect(linesOf(out)).toHaveLength(5);
    expect(readdirSync(at('disk'))).toEqual(['a.csv']);
    expect((await score('--out', out)).code).toBe(0);
  });

  it('one that was killed holds nothing', async () => {
    const { at, flags, score } = setUp(3);
    execFileSync('mkfifo', [at('pipe.png')]);
    const out = at('disk/a.csv');
    const first = start(['score', at('images'), at('pipe.png'), '--out', out, ...flags]);
    const ended = outcomeOf(first);
    await vi.waitFor(() => expect(linesOf(`${out}.part`)).toHaveLength(4), { timeout: 20_000 });
    first.kill('SIGKILL');
    await ended;
    expect(existsSync(`${out}.part.lock`)).toBe(true);
    const { code, stderr } = await score('--out', out, '--resume');
    expect([code, stderr]).toEqual([0, expect.stringContaining('resume: 3 of 3 images done already')]);
    expect(readdirSync(at('disk'))).toEqual(['a.csv']);
  });
});
