/** Nothing leaves this machine, and nothing is written outside the data folder: whatever the command, whatever the library. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findPython } from '../../scripts/python.ts';
import { keepCachesIn, silence } from '../../src/lib/quiet.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { cannotTrace, type Traced, traced } from '../support/trace.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));

/** A place with a home, a temporary folder and a working folder, all of them empty, and a data folder to be made. */
async function place() {
  const root = tempFolder();
  const [home, tmp, work, data, image] = ['home', 'tmp', 'work', 'data', 'a.png'].map((n) =>
    join(root, n),
  ) as [string, string, string, string, string];
  for (const folder of [home, tmp, work]) mkdirSync(folder);
  writeFileSync(image, await png(picture(64, 64)));
  const env = { HOME: home, TMPDIR: tmp, ASSAY_DATA_DIR: data };
  const litter = () =>
    [home, tmp, work].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
  return { root, data, image, work, env, litter };
}

const obstacle = cannotTrace();
const skipped = obstacle ? ` (skipped: ${obstacle})` : '';

describe.skipIf(obstacle)(`under strace${skipped}`, { timeout: 90_000 }, () => {
  async function assay(args: (image: string, root: string) => string[], onLine?: OnLine): Promise<Traced> {
    const { root, data, image, work, env, litter } = await place();
    const command = [process.execPath, CLI, ...args(image, root)];
    const outputs = ['out', 'out.part', 'out.part.lock', 'out.part.lock-journal'];
    const writable = [data, ...outputs.map((name) => join(root, name))];
    const found = await traced(command, { cwd: work, env, writable, ...(onLine && { onLine }) });
    expect(litter()).toEqual([]);
    return found;
  }
  type OnLine = (line: string, child: ChildProcess) => Promise<void>;

  it('score', async () => {
    const { code, offences } = await assay((image, root) => [
      'score',
      image,
      '-f',
      'csv',
      '-o',
      `${root}/out`,
    ]);
    expect(offences).toEqual([]);
    expect(code).toBe(0);
  });

  it.each([
    ['models list', ['models', 'list']],
    ['doctor', ['doctor', '--port', '0']],
    ['a wrong option', ['score', '--wrong']],
  ])('%s', async (_name, args) => {
    expect((await assay(() => args)).offences).toEqual([]);
  });

  it('serve, with a request and a search', async () => {
    const answers: number[] = [];
    const { code, offences } = await assay(
      () => ['serve', '--port', '0', '--log-level', 'error'],
      async (line, child) => {
        const url = /http:\/\/\S+/.exec(line)![0];
        const image = Buffer.from(await png(picture(64, 64))).toString('base64');
        const body = JSON.stringify({ items: [{ image, prompt: 'a cat' }] });
        const headers = { 'content-type': 'application/json' };
        answers.push((await fetch(`${url}/v1/score`, { method: 'POST', body, headers })).status);
        answers.push((await fetch(`${url}/v1/history?prompt=cat`)).status);
        child.kill('SIGTERM');
      },
    );
    expect(offences).toEqual([]);
    expect([code, ...answers]).toEqual([0, 200, 200]);
  });

  it('watch, of a host that is away', async () => {
    const { code, offences } = await assay(() => ['watch', '--comfyui', 'http://127.0.0.1:9', '--once']);
    expect(offences).toEqual([]);
    expect(code).toBe(4);
  });

  const python = findPython(['onnxruntime', 'numpy']);
  it.skipIf(!python)(
    `the package for training${python ? '' : ' (skipped: no Python with onnxruntime)'}`,
    async () => {
      const { work, env, litter } = await place();
      const script = `import sys; sys.path.insert(0, ${JSON.stringify(TRAINING)}); sys.dont_write_bytecode = True
import assay_training, onnxruntime
onnxruntime.get_available_providers()`;
      const found = await traced([python!, '-c', script], { cwd: work, env, writable: [] });
      expect(found.offences).toEqual([]);
      expect(litter()).toEqual([]);
    },
  );

  it('a program that does all this is caught', async () => {
    const { root, work, env } = await place();
    const script = `
      const fs = require('node:fs');
      const socket = require('node:dgram').createSocket('udp4');
      socket.connect(53, '192.0.2.1', () => socket.close()); // sends nothing
      fs.writeFileSync('here.txt', '');
      fs.renameSync('here.txt', '${root}/there.txt');
      fs.mkdirSync('${root}/data');
      fs.mkdirSync('${root}/database');
      fs.readFileSync('/etc/hostname');
      new Worker(\`require('node:fs').rmSync('${root}/there.txt')\`, { eval: true });`;
    const program = `const { Worker } = require('node:worker_threads');${script}`;
    const { offences } = await traced([process.execPath, '-e', program], {
      cwd: work,
      env,
      writable: [join(root, 'data')],
    });
    const calls = offences.map((line) => /^\d+ +(\w+)/.exec(line)![1]);
    expect(calls.toSorted()).toEqual(['bind', 'connect', 'mkdir', 'openat', 'rename', 'unlink']);
  });
});

it('without strace: home, temporary and working folder stay empty, also when a file names the data folder', async () => {
  const { root, data, image, work, env, litter } = await place();
  const { PATH = '', SystemRoot = '' } = process.env;
  const config = join(root, 'config.json');
  writeFileSync(config, `\ufeff{"dataDir": ${JSON.stringify(data)}}`);
  const { ASSAY_DATA_DIR: _, ...rest } = env;
  const { status } = spawnSync(process.execPath, [CLI, 'score', image, '--config', config], {
    cwd: work,
    env: { PATH, SystemRoot, ...rest },
  });
  expect(status).toBe(0);
  expect(litter()).toEqual([]);
  expect(readdirSync(data)).toContain('cache');
});

it('the libraries are told in the environment of the process itself, as native code reads it', () => {
  const own = process.env.MESA_SHADER_CACHE_DIR;
  onTestFinished(() => {
    if (own === undefined) delete process.env.MESA_SHADER_CACHE_DIR;
  });
  process.env.MESA_SHADER_CACHE_DIR = '/of/the/user';
  silence();
  keepCachesIn('/data/cache');
  const names = ['ORT_DISABLE_TELEMETRY', 'CUDA_CACHE_PATH', 'MESA_SHADER_CACHE_DIR'];
  const code = `process.stdout.write(${JSON.stringify(names)}.map((name) => process.env[name]).join())`;
  const { stdout } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' });
  expect(stdout).toBe(`1,${join('/data/cache', 'cuda')},/of/the/user`);
});
