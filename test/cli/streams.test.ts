/** What is no file where a file is expected: pipes, devices, the streams of the process, names that are empty. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { outcomeOf, start } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

let good: Buffer;
beforeAll(async () => {
  good = await png(picture(64, 64));
});

/** A folder with a model, an image and a pipe that nobody has open. */
function setUp() {
  const folder = tempFolder();
  const at = (name: string) => join(folder, name);
  writeModel(at('models'));
  writeFileSync(at('a.png'), good);
  execFileSync('mkfifo', [at('pipe')]);
  const flags = ['--models', at('models'), '--scorer', 'test-bright', '--data-dir', at('data')];
  const run = (args: string[], input?: Uint8Array) => {
    const child = start([...args, ...flags], { cwd: folder, ...(input && { input }) });
    return outcomeOf(child);
  };
  /** Runs a line of the shell in which `assay` is the command. */
  const shell = (line: string) => {
    const assay = [process.execPath, CLI].map((word) => `'${word}'`).join(' ');
    const rest = flags.map((word) => `'${word}'`).join(' ');
    const text = `assay() { ${assay} "$@" ${rest}; }\n${line}`;
    return outcomeOf(spawn('bash', ['-c', text], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
  };
  return { folder, at, run, shell };
}

const onPosix = describe.skipIf(process.platform === 'win32');
const onLinux = describe.runIf(existsSync('/proc/self/fd'));

onLinux('--out to what is open already', () => {
  it.each(['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', 'link'])(
    '%s keeps what the file behind it holds',
    async (out) => {
      const { at, shell } = setUp();
      symlinkSync('/dev/stdout', at('link'));
      writeFileSync(at('t.csv'), 'older\n');
      const { code, stderr } = await shell(`assay score a.png --out ${out} -f csv >> t.csv`);
      expect([code, stderr]).toEqual([0, expect.not.stringContaining('assay:')]);
      expect(readFileSync(at('t.csv'), 'utf8')).toMatch(/^older\nname,quality,[^\n]*\na\.png,[^\n]*\n$/);
      expect(readdirSync(at('.')).filter((name) => name.includes('.part'))).toEqual([]);
    },
  );

  it.each([
    ['assay score a.png --out /dev/stdout -f csv | cat'],
    ['assay score a.png --out /dev/stderr -f csv 2>&1 | cat'],
    ['assay score a.png --out >(cat) -f csv | cat'],
  ])('writes into the pipe of %s', async (line) => {
    const { stdout, stderr } = await setUp().shell(line);
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^name,quality,.*\na\.png,/), expect.anything()]);
    expect(stderr).not.toContain('assay:');
  });

  it('is nothing to go on with', async () => {
    const { code, stderr } = await setUp().run([
      'score',
      'a.png',
      '--resume',
      '-f',
      'csv',
      '--out',
      '/dev/stdout',
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--resume goes on with a file')]);
  });
});

onPosix('a pipe that nobody has open', () => {
  it.each<[string[], RegExp]>([
    [['score', 'a.png', '--out', 'pipe'], /--out: cannot write pipe: it is a pipe that nothing reads from/],
    [['score', 'a.png', '--policy', 'pipe'], /cannot read.*pipe: it is not a file/],
    [['score', 'a.png', '--config', 'pipe'], /cannot read.*pipe: it is not a file/],
    [['score', 'a.png', '--prompts', 'pipe'], /cannot read pipe: it is not a file/],
    [['serve', '--port', '0', '--token-file', 'pipe'], /pipe.*: it is not a file/],
    [
      ['watch', '--comfyui', 'http://127.0.0.1:1', '--comfyui-header', '@pipe'],
      /cannot read pipe: it is not a file/,
    ],
  ])('ends %j with words', async (args, words) => {
    const { code, stderr } = await setUp().run(args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
  });

  it('ends `assay prompt` with words', async () => {
    const { at } = setUp();
    const { code, stderr } = await outcomeOf(start(['prompt', at('pipe')]));
    expect([code, stderr]).toEqual([2, expect.stringContaining('it is not a file')]);
  });

  it('where an image was that is done is not read to see whether it is the same', async () => {
    const { at, run } = setUp();
    expect((await run(['score', 'a.png', '--out', 't.csv'])).code).toBe(0);
    rmSync(at('a.png'));
    execFileSync('mkfifo', [at('a.png')]);
    const child = run(['score', 'a.png', '--out', 't.csv', '--resume']);
    const fd = await vi.waitFor(() => openSync(at('a.png'), constants.O_WRONLY | constants.O_NONBLOCK), {
      timeout: 20_000,
    });
    writeSync(fd, good);
    closeSync(fd);
    expect(await child).toMatchObject({ code: 0, stderr: expect.stringContaining('1 done again') });
  });

  it('is written to once there is a reader', async () => {
    const { stdout } = await setUp().shell('cat pipe & assay score a.png --out pipe -f csv; wait');
    expect(stdout).toMatch(/^name,quality,.*\na\.png,/);
  });

  it('of the shell is read', async () => {
    const { code } = await setUp().shell(`assay score a.png --policy <(echo '{"minReward": 0.9}') -f csv`);
    expect(code).toBe(0);
  });
});

onPosix('images without end', () => {
  const heavy = expect.stringMatching(/the image has more than 67108864 bytes; the limit is 67108864/);

  it.each([
    'assay score - -f jsonl < /dev/zero',
    'cat /dev/zero | assay score - -f jsonl',
    'assay score /dev/zero -f jsonl',
  ])('are given up at the limit: %s', async (line) => {
    const { code, stdout } = await setUp().shell(line);
    expect([code, stdout]).toEqual([3, heavy]);
  });

  it('end at the first Ctrl-C', async () => {
    const { folder, at } = setUp();
    const rest = ['--models', at('models'), '--scorer', 'test-bright', '--data-dir', at('data')];
    const child = spawn(process.execPath, [CLI, 'score', 'a.png', '-', '-f', 'jsonl', ...rest], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: 'stopped after 1 of 2\n' });
    child.stdin!.destroy();
  });

  it('a file that is too heavy is not read, and its size is told', async () => {
    const { at, shell } = setUp();
    execFileSync('truncate', ['-s', '5G', at('huge.png')]);
    const { code, stdout } = await shell('assay score huge.png -f jsonl');
    expect([code, JSON.parse(stdout).error.message]).toEqual([
      3,
      expect.stringContaining('the image has 5368709120 bytes'),
    ]);
  });
});

describe.runIf(existsSync('/dev/full'))('an output that is full', () => {
  it.each(['score a.png', 'models list', 'serve --port 0 --log-level error'])(
    'ends `%s` with one error',
    async (command) => {
      const { code, stderr } = await setUp().shell(`assay ${command} > /dev/full`);
      expect(code).toBe(2);
      expect(stderr).toContain('the standard output cannot be written: ENOSPC');
      expect(stderr.match(/OUTPUT_UNWRITABLE/g)).toHaveLength(1);
      expect(stderr).not.toMatch(/throw error|node:|\bat /);
    },
  );
});

describe('names that stand for something else', () => {
  it('a name that steers the terminal, or turns what follows, does neither in an error', async () => {
    const { stderr } = await setUp().run(['score', 'a.png', '--prompts', 'no\u001b[31m\u202egnp.csv']);
    expect(stderr).toContain('no such file or folder: no\ufffd[31m\ufffdgnp.csv');
  });

  it.each(['--out', '--move-rejects', '--copy-top', '--policy', '--prompts', '--models', '--config'])(
    '%s "" is wrong usage',
    async (flag) => {
      const { folder, run } = setUp();
      const { code, stderr } = await run(['score', 'a.png', '--top', '1', flag, '']);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${flag}: the name is empty`)]);
      expect(readdirSync(folder).filter((name) => name !== 'data')).toEqual(['a.png', 'models', 'pipe']);
    },
  );

  it.each([
    ['--write-metadata'],
    ['--move-rejects', 'bin'],
    ['--copy-top', 'best', '--top', '1'],
    ['--show-metadata'],
  ])('- is never the file of that name: %s', async (...flags) => {
    const { at, run } = setUp();
    writeFileSync(at('-'), good);
    const { code, stderr } = await run(['score', '-', ...flags], good);
    expect([code, stderr]).toEqual([2, expect.stringContaining('- is the standard input')]);
    expect([existsSync(at('best')), existsSync(at('bin')), readFileSync(at('-')).equals(good)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('a folder that images are put into is not scored, and that is said', async () => {
    const { at, run } = setUp();
    mkdirSync(at('best'));
    writeFileSync(at('best/a.png'), good);
    const { code, stdout } = await run([
      'score',
      'best',
      '--copy-top',
      './best/',
      '--top',
      '1',
      '-f',
      'jsonl',
    ]);
    expect([code, JSON.parse(stdout).error.message]).toEqual([
      3,
      expect.stringMatching(/^best is where images are put/),
    ]);
  });

  it('more threads than any machine has are refused', async () => {
    const { code, stderr } = await setUp().run(['score', 'a.png', '--threads', '100000']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/threads.*100000.*1024/s)]);
  });
});

describe.runIf(existsSync('/proc/self'))('a data folder that cannot be', () => {
  it.each(['score a.png', 'doctor'])('ends `%s` with words', async (command) => {
    const { at } = setUp();
    const rest = ['--models', at('models'), '--scorer', 'test-bright', '--data-dir', '/proc/nope/deep'];
    const child = start([...command.split(' '), ...rest], { cwd: at('.') });
    const { stdout, stderr } = await outcomeOf(child);
    if (command === 'doctor') expect(stdout + stderr).toMatch(/data folder \/proc\/nope\/deep: ENOENT/);
    else expect(stdout).toContain('a.png');
  });

  it.each([
    ['score a.png --min quality=0 --copy-top /proc/nope/deep', 3, 'FILE_NOT_COPIED'],
    ['score a.png --move-rejects /proc/nope/deep', 2, 'REJECT_BIN_UNUSABLE'],
    ['models import models/test-bright --data-dir /proc/nope/deep', 2, 'MODEL_NOT_COPIED'],
  ])('ends `%s` with %i and a code', async (command, code, name) => {
    const { at } = setUp();
    const rest = command.startsWith('models') ? [] : ['--models', at('models'), '--scorer', 'test-bright'];
    const child = start([...command.split(' '), ...rest], { cwd: at('.') });
    expect(await outcomeOf(child)).toMatchObject({ code, stderr: expect.stringContaining(`[${name}]`) });
  });
});
