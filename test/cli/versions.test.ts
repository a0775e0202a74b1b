/** Several versions of one scorer side by side. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUILT_IN_MODELS } from '../../src/reward/model/catalog.ts';
import { readManifest } from '../../src/reward/model/manifest.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { type TestModel, writeModel } from '../support/models.ts';

const EMBEDDED = join(BUILT_IN_MODELS, 'assay-base');
const shipped = readManifest(EMBEDDED).manifest.version;
/** The row of the other scorer that ships. */
const LITE = `assay-lite ${readManifest(join(BUILT_IN_MODELS, 'assay-lite')).manifest.version}`;

function setUp() {
  const folder = tempFolder();
  const data = ['--data-dir', join(folder, 'data')];
  const run = (...args: string[]) => assay([...args, ...data]);
  const importing = (model: TestModel, ...args: string[]) =>
    run('models', 'import', writeModel(join(folder, 'elsewhere'), model), ...args);
  const installed = () => readdirSync(join(folder, 'data/models')).toSorted();
  return { folder, run, importing, installed };
}

/** What stands in the table of `models list`, and which are the default and the one that shows it. */
const listed = (stdout: string): string[] =>
  stdout
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/).slice(0, 2).join(' '))
    .filter((line) => /\d$/.test(line));

describe('an older version of the scorer that ships', () => {
  const old: TestModel = { id: 'assay-base', version: '0.0.1' };

  it('is imported beside it and has a name of its own; the plain name stays', async () => {
    const { run, importing } = setUp();
    const imported = await importing(old);
    expect(imported.stdout).toMatch(
      /imported assay-base 0\.0\.1 .*\nuse it with --scorer assay-base@0\.0\.1\n/,
    );
    const { stdout } = await run('models', 'list');
    expect(listed(stdout)).toEqual([`assay-base * ${shipped}`, LITE, 'assay-base@0.0.1 0.0.1']);
    const info = await run('models', 'info', 'assay-base@0.0.1');
    expect(info.stdout).toMatch(/^assay-base 0\.0\.1: Test\n[\s\S]*loads and runs/);
    expect((await run('models', 'info', 'assay-base')).stdout).toMatch(`assay-base ${shipped}: Assay Base`);
    const verified = await run('models', 'verify', 'assay-base@0.0.1');
    expect(verified.stdout).toMatch(/fp32 .*loads and runs/);
    expect((await run('doctor', '--port', '0')).stdout).toMatch(/model assay-base 0\.0\.1: files are whole/);
  });

  it('scores when it is asked for by version', async () => {
    const { folder, run, importing } = setUp();
    await importing(old);
    const image = join(folder, 'a.png');
    writeFileSync(image, await png(picture(64, 64)));
    const versionFor = async (...scorer: string[]) => {
      const { stdout } = await run('score', image, '--format', 'jsonl', ...scorer);
      return JSON.parse(stdout).scorer.version;
    };
    expect(await versionFor('--scorer', 'assay-base@0.0.1')).toBe('0.0.1');
    expect(await versionFor('--scorer', `assay-base@${shipped}`)).toBe(shipped);
    expect(await versionFor('--scorer', 'assay-base')).toBe(shipped);
    expect(await versionFor()).toBe(shipped);
  });

  it('marks the default when that is the older one', async () => {
    const { run, importing } = setUp();
    await importing(old);
    const { stdout } = await run('models', 'list', '--scorer', 'assay-base@0.0.1');
    expect(listed(stdout)).toEqual([`assay-base ${shipped}`, LITE, 'assay-base@0.0.1 * 0.0.1']);
  });

  const renumber: TestModel['edit'] = (m) => {
    m.version = '0.0.1';
  };

  it('is found where it was imported to before versions stood side by side', async () => {
    const { folder, run, importing, installed } = setUp();
    writeModel(join(folder, 'data/models'), { id: 'assay-base', edit: renumber });
    expect(listed((await run('models', 'list')).stdout)).toContain('assay-base@0.0.1 0.0.1');
    expect((await importing(old)).stderr).toMatch(/assay-base@0\.0\.1 is installed already.*MODEL_EXISTS/s);
    expect((await importing(old, '--force')).code).toBe(0);
    expect(installed()).toEqual(['assay-base']);
  });

  it('does not replace what ships when it has the same version', async () => {
    const { run } = setUp();
    for (const force of [[], ['--force']]) {
      const { code, stderr } = await run('models', 'import', EMBEDDED, ...force);
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /installed already in .*models.assay-base\n.*a version of its own.*MODEL_EXISTS/,
      );
    }
  });

  it('is not found by a name that is not quite its own, and what is there is named', async () => {
    const { folder, run } = setUp();
    writeModel(join(folder, 'data/models'), old);
    const names = ['assay-base@9.9.9', 'assay-base@', '@0.0.1', 'assay-base@0.0.1@0.0.1', 'other@0.0.1'];
    const commands = [
      ...names.map((name) => ['models', 'verify', name]),
      ['models', 'info', 'assay-base@9.9.9'],
      ['score', EMBEDDED, '--scorer', 'assay-base@9.9.9'],
    ];
    for (const { code, stderr } of await Promise.all(commands.map((command) => run(...command)))) {
      expect(code).toBe(2);
      expect(stderr).toMatch(/no scorer ".*"/);
      expect(stderr).toContain(
        `installed are assay-base@${shipped}, ${LITE.replace(' ', '@')}, assay-base@0.0.1\n`,
      );
      expect(stderr).toContain('[UNKNOWN_SCORER]');
    }
  });
});

describe('versions of an imported scorer', () => {
  it('stand side by side; the plain name means the newest release', async () => {
    const { run, importing, installed } = setUp();
    await importing({ version: '1.9.0' });
    const newer = await importing({ version: '1.10.0' });
    expect(newer.stdout).toMatch(/use it with --scorer test-bright\n/);
    await importing({ version: '1.10.0-rc.1' });
    const names = ['test-bright 1.10.0', 'test-bright@1.10.0-rc.1 1.10.0-rc.1', 'test-bright@1.9.0 1.9.0'];
    expect(listed((await run('models', 'list')).stdout)).toEqual([`assay-base * ${shipped}`, LITE, ...names]);
    expect(installed()).toEqual(['test-bright@1.10.0', 'test-bright@1.10.0-rc.1', 'test-bright@1.9.0']);
  });

  it('are replaced one by one, when forced', async () => {
    const { run, importing, installed } = setUp();
    await importing({ version: '1.9.0' });
    await importing({ version: '1.10.0' });
    const again = await importing({ version: '1.9.0' });
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/test-bright@1\.9\.0 is installed already.*\n.*--force.*MODEL_EXISTS/);
    const edit: TestModel['edit'] = (m) => {
      m.title = 'Again';
    };
    expect((await importing({ version: '1.9.0', edit }, '--force')).code).toBe(0);
    expect(installed()).toEqual(['test-bright@1.10.0', 'test-bright@1.9.0']);
    expect((await run('models', 'info', 'test-bright@1.9.0')).stdout).toMatch(/1\.9\.0: Again/);
  });
});
