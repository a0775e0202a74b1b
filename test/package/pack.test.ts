/** The package as npm would publish it: run from where it was unpacked, with nothing but what it asks for beside it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Contained, cannotContain, contained } from '../support/container.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';
import { installPackage } from '../support/package.ts';

const PACKING_MS = 120_000;
const folder = mkdtempSync(join(tmpdir(), 'assay-'));
let home = '';

beforeAll(() => {
  home = installPackage(folder);
}, PACKING_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('runs from the packed file, with its embedded scorer', { timeout: PACKING_MS }, async () => {
  const work = tempFolder();
  writeFileSync(join(work, 'a.png'), await png(picture(320, 320)));
  const assay = (...args: string[]) =>
    execFileSync(process.execPath, [join(home, 'dist/cli/index.js'), ...args], {
      cwd: work,
      encoding: 'utf8',
    });
  expect(assay('--version')).toMatch(/^\d+\.\d+\.\d+/);
  const [result] = JSON.parse(assay('score', 'a.png', '-f', 'json')).results;
  expect(result).toMatchObject({ source: 'a.png', error: null, scorer: { id: 'assay-base' } });
  expect(readdirSync(home).toSorted()).not.toContain('test');

  writeModel(join(work, 'models'), {
    edit: (m) => void Object.assign(m.image, { kernel: 'pillow-cubic' }),
  });
  const own = ['--models', 'models', '--scorer', 'test-bright'];
  const [inThread] = JSON.parse(assay('score', 'a.png', '-f', 'json', ...own)).results;
  expect(inThread).toMatchObject({ error: null, scorer: { id: 'test-bright' } });

  mkdirSync(join(work, 'ComfyUI/custom_nodes'), { recursive: true });
  mkdirSync(join(work, 'ComfyUI/models'));
  expect(assay('install', 'comfyui', 'ComfyUI')).toMatch(/^installed: Assay's nodes/);
  expect(existsSync(join(work, 'ComfyUI/custom_nodes/assay/__init__.py'))).toBe(true);
  const shipped = readdirSync(home, { recursive: true, encoding: 'utf8' });
  expect(shipped).toContain(join('examples', 'demo', 'README.md'));
  expect(shipped.filter((path) => /__pycache__|\.pyc$|python-shim.tests/.test(path))).toEqual([]);
});

const obstacle = cannotContain([process.execPath, new URL('../../package.json', import.meta.url).pathname]);
const title = `as process 1 without name, home and disk${obstacle ? ` (skipped: ${obstacle})` : ''}`;

describe.skipIf(obstacle)(title, { timeout: 60_000 }, () => {
  const DISK = 64e6;
  /** What Kubernetes sets for a service called assay. */
  const ORCHESTRATED = {
    ASSAY_PORT: 'tcp://10.0.0.1:7878',
    ASSAY_SERVICE_HOST: '10.0.0.1',
    ASSAY_PORT_7878_TCP_ADDR: '10.0.0.1',
  };

  async function serve(env: (disk: string) => Record<string, string>, bytes = DISK): Promise<Contained> {
    const disk = tempFolder();
    const command = [process.execPath, join(home, 'dist/cli/index.js'), 'serve', '--port', '0'];
    return contained(command, { disk, bytes, env: { ...ORCHESTRATED, ...env(disk) } });
  }

  /** Scores an image; the reward, the status of the history, and the client's own verdict in it. */
  async function use({ line }: Contained) {
    const url = /http:\S+/.exec(line)![0];
    const form = new FormData();
    form.append('image', new Blob([await png(picture(320, 320))]), 'a.png');
    const answer = await fetch(`${url}/v1/score`, { method: 'POST', body: form });
    const { results } = (await answer.json()) as { results: { error: unknown; reward: number }[] };
    const history = await fetch(`${url}/v1/history`);
    return { error: results[0]!.error, history: history.status, said: await history.text() };
  }

  it('scores, records in its data folder, and ends when told', async () => {
    const daemon = await serve((disk) => ({ ASSAY_DATA_DIR: `${disk}/data` }));
    expect(await use(daemon)).toMatchObject({
      error: null,
      history: 200,
      said: expect.stringContaining('a.png'),
    });
    expect(await daemon.stop()).toBe(0);
    expect(daemon.stderr()).toContain('ASSAY_PORT=tcp://10.0.0.1:7878 is what an orchestrator sets');
    expect(daemon.stderr()).not.toMatch(/"level":[56]0/);
  });

  it.each<[string, (disk: string) => Record<string, string>, RegExp]>([
    ['no folder is named', () => ({}), /\/var\/lib\/assay/],
    [
      'the data folder cannot be written',
      () => ({ ASSAY_DATA_DIR: '/usr/assay' }),
      /\/usr\/assay\/history\.db or its folder cannot be written/,
    ],
    ['the disk is full', (disk) => ({ ASSAY_DATA_DIR: `${disk}/data` }), /no space left/],
  ])('scores on without a history when %s', async (what, env, reason) => {
    const daemon = await serve(env, what === 'the disk is full' ? 4096 : DISK);
    expect(await use(daemon)).toMatchObject({
      error: null,
      history: 503,
      said: expect.stringMatching(reason),
    });
    expect(await daemon.stop()).toBe(0);
    expect(daemon.stderr()).toContain('verdicts are not recorded for now; scoring goes on');
  });
});
