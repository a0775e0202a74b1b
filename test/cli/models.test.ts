import { appendFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { meanGraph, type TestModel, writeModel } from '../support/models.ts';

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
    expect(stderr).toMatch(/MODEL_FILE_MISSING/);
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
