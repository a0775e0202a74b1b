/** Model folders: what is wrong with them is said by name. */
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/reward/catalog.ts';
import type { Manifest } from '../../src/reward/manifest.ts';
import { tempFolder } from '../support/files.ts';
import { meanGraph, type TestModel, writeModel } from '../support/models.ts';

const settings = { providers: [], threads: 1, workers: 1, defaultId: 'test-bright' };
const catalogIn = (dir: string) => openCatalog({ ...settings, modelDirs: [dir] });

async function openModel(model: TestModel, spoil: (folder: string) => void = () => {}) {
  const parent = tempFolder();
  spoil(writeModel(parent, model));
  const catalog = catalogIn(parent);
  const [broken] = catalog.broken();
  if (broken) throw broken;
  const scorer = await catalog.open();
  await scorer.close();
}

/** A domain entry that fits `meanGraph`, but for what is changed. */
const domain = (change: object) =>
  changed((m) => Object.assign(m, { domain: { output: 'mean', limit: 150, reason: 'bright', ...change } }));

const changed =
  (change: (m: Record<string, unknown>) => void) =>
  (m: Manifest): void =>
    change(m as unknown as Record<string, unknown>);

describe('a model folder', () => {
  it.each<[string, TestModel, ((folder: string) => void) | undefined, string, RegExp]>([
    [
      'with a changed graph',
      {},
      (f) => appendFileSync(join(f, 'model.onnx'), 'x'),
      'MODEL_HASH_MISMATCH',
      /model\.onnx: sha256 is .*manifest says/,
    ],
    [
      'without its graph',
      {},
      (f) => rmSync(join(f, 'model.onnx')),
      'MODEL_FILE_MISSING',
      /names model\.onnx, which is absent/,
    ],
    [
      'whose manifest is not JSON',
      {},
      (f) => writeFileSync(join(f, 'manifest.json'), '{'),
      'MANIFEST_INVALID',
      /manifest\.json/,
    ],
    [
      'with a wrong type',
      { edit: changed((m) => Object.assign(m, { maxBatch: 'many' })) },
      undefined,
      'MANIFEST_INVALID',
      /maxBatch: expected/,
    ],
    [
      'with an unknown key',
      { edit: changed((m) => Object.assign(m, { colour: 1 })) },
      undefined,
      'MANIFEST_INVALID',
      /colour/,
    ],
    [
      'that reaches outside itself',
      { edit: changed((m) => Object.assign(m, { card: '../../etc/passwd' })) },
      undefined,
      'MANIFEST_INVALID',
      /card/,
    ],
    [
      'whose version is a path',
      { edit: (m) => Object.assign(m, { version: '1/../..' }) },
      undefined,
      'MANIFEST_INVALID',
      /version/,
    ],
    [
      'with an unknown default variant',
      { edit: (m) => Object.assign(m, { defaultVariant: 'int4' }) },
      undefined,
      'MANIFEST_INVALID',
      /variant "int4"/,
    ],
    [
      'that calibrates nothing',
      { files: { 'calibration.json': '{"version":1,"fittedOn":"","aspects":{}}' } },
      undefined,
      'MANIFEST_INVALID',
      /aspects\.quality is missing/,
    ],
    [
      'whose graph is no graph',
      { files: { 'model.onnx': 'hello' } },
      undefined,
      'MODEL_LOAD_FAILED',
      /cannot load scorer test-bright/,
    ],
    [
      'that names another output',
      { edit: (m) => Object.assign(m.aspects.quality!, { output: 'beauty' }) },
      undefined,
      'MODEL_UNFIT',
      /no output "beauty" \(has quality\)/,
    ],
    [
      'whose domain names an output that is not there',
      { edit: domain({}) },
      undefined,
      'MODEL_UNFIT',
      /no output "mean" \(has quality\)/,
    ],
    [
      'whose domain names an output of two numbers',
      { graph: meanGraph, edit: domain({ output: 'quality' }) },
      undefined,
      'MODEL_UNFIT',
      /output "quality" has 2 numbers an image; domain needs 1/,
    ],
    [
      'whose domain has no limit',
      { graph: meanGraph, edit: domain({ limit: null }) },
      undefined,
      'MANIFEST_INVALID',
      /domain\.limit: expected number/,
    ],
    [
      'that names another input',
      { edit: (m) => Object.assign(m.image, { input: 'picture' }) },
      undefined,
      'MODEL_UNFIT',
      /image|picture/,
    ],
    [
      'of another size',
      { edit: (m) => Object.assign(m.image, { width: 16 }) },
      undefined,
      'MODEL_UNFIT',
      /model\.onnx/,
    ],
  ])('%s is refused', async (_name, model, spoil, code, message) => {
    await expect(openModel(model, spoil)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('needs to say nothing of its domain', async () => {
    await openModel({ edit: changed((m) => delete m.domain) });
  });

  it('that is broken does not hide the others', async () => {
    const parent = tempFolder();
    writeModel(parent);
    writeFileSync(join(writeModel(parent, { id: 'test-broken' }), 'manifest.json'), '[]');
    const catalog = catalogIn(parent);
    expect(catalog.list().map((s) => s.id)).toEqual(['test-bright']);
    expect(catalog.broken().map((e) => e.code)).toEqual(['MANIFEST_INVALID']);
  });

  it('is tried again after a failed load', async () => {
    const parent = tempFolder();
    const folder = writeModel(parent);
    rmSync(join(folder, 'model.onnx'));
    const catalog = catalogIn(parent);
    await expect(catalog.open()).rejects.toMatchObject({ code: 'MODEL_FILE_MISSING' });
    writeModel(parent);
    const scorer = await catalog.open();
    expect(scorer.provider).toBe('cpu');
    await catalog.close();
  });

  it('is named with a near one when unknown', () => {
    const parent = tempFolder();
    writeModel(parent);
    expect(() => catalogIn(parent).find('test-brigt')).toThrow(/did you mean "test-bright"/);
  });

  it('falls back to the CPU and says what a missing provider needs', async () => {
    const parent = tempFolder();
    writeModel(parent);
    const catalog = openCatalog({ ...settings, providers: ['coreml', 'dml'], modelDirs: [parent] });
    const scorer = await catalog.open();
    expect(scorer.provider).toMatch(/cpu|coreml|dml/);
    expect(scorer.notes.join(' ')).toMatch(
      /(dml|coreml) is not available: only on .*there is nothing to install elsewhere/,
    );
    await catalog.close();
  });
});
