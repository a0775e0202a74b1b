import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { brightnessGraph, meanGraph, type TestModel, writeModel } from '../support/models.ts';
import { floats } from '../support/onnx.ts';

function setUp(model: TestModel = {}) {
  const folder = tempFolder();
  const data = ['--data-dir', join(folder, 'data')];
  return { folder, model: writeModel(join(folder, 'elsewhere'), model), data };
}

async function golden(score: number): Promise<Record<string, Uint8Array | string>> {
  const expect = { fp32: { quality: { score, interval: [score - 1, score + 1], percentile: score / 5 } } };
  const items = [{ image: 'golden/a.png', prompt: null, expect, tolerance: 0.001 }];
  return { 'golden/a.png': await png(picture(32, 32)), 'golden.json': JSON.stringify({ version: 1, items }) };
}

const brightness = picture(32, 32).data.reduce((sum, v) => sum + v, 0) / (32 * 32 * 3) / 51;

describe('assay models', () => {
  it('imports, lists, shows and verifies a scorer', async () => {
    const { folder, model, data } = setUp({ files: await golden(brightness) });
    const imported = await assay(['models', 'import', model, ...data]);
    expect(imported.code).toBe(0);
    expect(imported.stdout).toMatch(/1 of 1 golden scores agree[\s\S]*imported test-bright 1\.0\.0/);
    rmSync(join(folder, 'elsewhere'), { recursive: true });

    const listed = JSON.parse((await assay(['models', 'list', '--json', ...data])).stdout);
    expect(listed.map((s: { id: string }) => s.id)).toContain('test-bright');
    const info = await assay(['models', 'info', 'test-bright', ...data]);
    expect(info.stdout).toMatch(/predicts +quality 0 to 5; alignment: not predicted/);
    expect(info.stdout).toMatch(/runs on +cpu, variant fp32, loads and runs/);
    expect(info.stdout).toMatch(/providers +cpu: yes/);
    expect((await assay(['models', 'verify', 'test-bright', ...data])).stdout).toMatch(/verified/);
  });

  it('verifies golden scores of images that are foreign to the scorer', async () => {
    const foreign: TestModel = {
      graph: meanGraph,
      files: await golden(brightness),
      edit: (m) => {
        m.domain = { output: 'mean', limit: 1, reason: 'bright' };
      },
    };
    const { model, data } = setUp(foreign);
    const { code, stdout } = await assay(['models', 'verify', model, ...data]);
    expect(stdout).toMatch(/1 of 1 golden scores agree/);
    expect(code).toBe(0);
  });

  it('does not replace an installed scorer unless forced', async () => {
    const { model, data } = setUp();
    expect((await assay(['models', 'import', model, ...data])).code).toBe(0);
    const again = await assay(['models', 'import', model, ...data]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/installed already.*\n.*--force.*MODEL_EXISTS/);
    expect((await assay(['models', 'import', model, '--force', ...data])).code).toBe(0);
  });

  it('refuses a scorer whose golden scores differ, and copies nothing', async () => {
    const { folder, model, data } = setUp({ files: await golden(brightness + 0.1) });
    const { code, stdout } = await assay(['models', 'import', model, ...data]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/0 of 1 golden scores agree, largest difference 0\.1/);
    expect(existsSync(join(folder, 'data/models'))).toBe(false);
  });

  it('refuses a changed file and a folder without a manifest', async () => {
    const { folder, model, data } = setUp();
    appendFileSync(join(model, 'model.onnx'), ' ');
    expect((await assay(['models', 'verify', model, ...data])).stderr).toMatch(/MODEL_HASH_MISMATCH/);
    const { code, stderr } = await assay(['models', 'import', folder, ...data]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/it holds no manifest\.json.*\n.*MANIFEST_INVALID/);
    const absent = await assay(['models', 'import', join(folder, 'nope'), ...data]);
    expect(absent.stderr).toMatch(/no such file or folder: \S+nope\n.*FILE_NOT_FOUND/);
  });

  it('takes a graph whose weights are in a file beside it, and misses that file', async () => {
    const scale = { dims: [1], outside: 'model.onnx.data' };
    const { folder, model, data } = setUp({
      graph: { ...brightnessGraph, constants: { ...brightnessGraph.constants, scale } },
      files: { ...(await golden(brightness)), 'model.onnx.data': floats(1 / 51) },
    });
    const { code, stdout } = await assay(['models', 'import', model, ...data]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/1 of 1 golden scores agree/)]);
    const imported = join(folder, 'data/models/test-bright@1.0.0');
    expect(readdirSync(imported)).toContain('model.onnx.data');
    writeFileSync(join(imported, 'model.onnx.data'), floats(1 / 50));
    const score = () => assay(['score', join(model, 'golden/a.png'), '--scorer', 'test-bright', ...data]);
    expect((await score()).stderr).toMatch(/model\.onnx\.data[\s\S]*MODEL_HASH_MISMATCH/);
    rmSync(join(imported, 'model.onnx.data'));
    expect((await score()).stderr).toMatch(/model\.onnx\.data[\s\S]*MODEL_FILE_MISSING/);
  });

  it('imports what links lead to, and says when there are no golden scores', async () => {
    const { folder, model, data } = setUp();
    const snapshot = join(folder, 'snapshot');
    mkdirSync(snapshot);
    for (const file of readdirSync(model)) symlinkSync(join(model, file), join(snapshot, file));
    const { code, stdout } = await assay(['models', 'import', snapshot, ...data]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/fp32 +loads and runs; it ships no golden/)]);
    rmSync(model, { recursive: true });
    const imported = join(folder, 'data/models/test-bright@1.0.0');
    expect(readdirSync(imported).filter((name) => lstatSync(join(imported, name)).isSymbolicLink())).toEqual(
      [],
    );
    const verified = await assay(['models', 'verify', 'test-bright', ...data]);
    expect([verified.code, verified.stdout]).toEqual([
      0,
      expect.stringMatching(/the files are whole; whether/),
    ]);
  });

  it('says in words what is in its way', async () => {
    const { folder, model, data } = setUp();
    writeFileSync(join(folder, 'file'), '');
    const blocked = await assay(['models', 'import', model, '--data-dir', join(folder, 'file')]);
    expect([blocked.code, blocked.stderr]).toEqual([2, expect.stringMatching(/MODEL_NOT_COPIED/)]);
    rmSync(join(model, 'model.onnx'));
    mkdirSync(join(model, 'model.onnx'));
    const hollow = await assay(['models', 'verify', model, ...data]);
    expect([hollow.code, hollow.stderr]).toEqual([2, expect.stringMatching(/MODEL_FILE_UNREADABLE/)]);
  });

  it('tells of folders that hold no models, and of a model that another hides', async () => {
    const { folder, model, data } = setUp();
    const twin = writeModel(join(folder, 'twins'));
    writeFileSync(join(folder, 'file'), '');
    const dirs = ['file', 'nope', 'elsewhere', 'twins'].flatMap((dir) => ['--models', join(folder, dir)]);
    const { code, stderr, stdout } = await assay(['models', 'list', ...dirs, ...data]);
    expect([code, stdout]).toEqual([3, expect.stringContaining(model)]);
    expect(stderr).toMatch(/cannot look for models in \S+file: ENOTDIR/);
    expect(stderr).toMatch(/cannot look for models in \S+nope: ENOENT/);
    expect(stderr).toContain(`test-bright@1.0.0: not used, for it comes later: ${twin}`);
  });

  it('lists what is refused behind what can be used', async () => {
    const { folder, data } = setUp();
    const broken = writeModel(join(folder, 'elsewhere'), { id: 'test-broken' });
    writeFileSync(join(broken, 'manifest.json'), '[]');
    const list = (...flags: string[]) =>
      assay(['models', 'list', '--models', join(folder, 'elsewhere'), ...flags, ...data]);
    const { code, stdout } = await list();
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/^refused +why +folder\n.*MANIFEST_INVALID +\S+broken\S*$/m),
    ]);
    const all = JSON.parse((await list('--json')).stdout);
    expect(all.at(-1)).toMatchObject({
      folder: broken,
      state: 'refused',
      error: { code: 'MANIFEST_INVALID' },
    });
  });
});

describe('assay doctor', () => {
  it('names each thing that works', async () => {
    const { model, data } = setUp();
    const flags = ['--models', join(model, '..'), '-s', 'test-bright', '--port', '0'];
    const { code, stdout } = await assay(['doctor', ...flags, ...data]);
    expect(stdout).toMatch(/✓ Node \d+/);
    expect(stdout).toMatch(/✓ default scorer test-bright \(fp32\) runs on cpu, ready in \d+ ms/);
    expect(stdout).toMatch(/✓ data folder/);
    expect(code).toBe(0);
  });

  it('names each problem with its fix', async () => {
    const { folder, model } = setUp();
    writeFileSync(join(model, 'manifest.json'), '{}');
    writeFileSync(join(folder, 'file'), '');
    const flags = [
      '--models',
      join(model, '..'),
      '--data-dir',
      join(folder, 'file/data'),
      '--providers',
      'coreml,dml',
    ];
    const { code, stdout } = await assay(['doctor', ...flags]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/✗ .*manifest\.json/);
    expect(stdout).toMatch(/✗ data folder .*\n +Choose another with --data-dir/);
    expect(stdout).toMatch(/✗ execution provider (coreml|dml): only on/);
  });
});
