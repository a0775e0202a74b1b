import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRejectBin } from '../../src/files/rejects/bin.ts';
import { allPages, openedStore, result } from '../store/helpers.ts';
import { assay } from '../support/cli.ts';
import { startFake } from '../support/comfyui/fake.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const HOST = 'http://127.0.0.1:8188';

/** A bin with these images of a host whose output folder is `outputs`. */
async function withRejects(names: string[]) {
  const folder = tempFolder();
  const [dataDir, outputs] = [join(folder, 'data'), join(folder, 'outputs')];
  mkdirSync(outputs);
  const bin = openRejectBin(join(dataDir, 'rejects'));
  for (const filename of names) {
    const path = join(outputs, filename);
    writeFileSync(path, `image ${filename}`);
    const image = { type: 'output' as const, subfolder: '', filename };
    const verdict = result({ sha256: filename, decision: 'reject', reasons: [`${filename} is poor`] });
    await bin.put(path, { host: HOST, image, at: Date.now(), sha256: filename, result: verdict });
  }
  const rejects = (command: string, ...args: string[]) =>
    assay(['rejects', command, ...args, '--data-dir', dataDir]);
  const ids = async () => Object.fromEntries((await bin.list()).map((r) => [r.image.filename, r.id]));
  return { folder, dataDir, outputs, bin, rejects, ids };
}

describe('assay rejects list', () => {
  it('shows what is in the bin and why', async () => {
    const { rejects, ids, bin } = await withRejects(['a.png', 'b.png']);
    const table = await rejects('list');
    expect(table.code).toBe(0);
    const id = (await ids())['a.png']!;
    expect(table.stdout).toMatch(
      new RegExp(`${id} +a\\.png +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +3\\.42 +0\\.0 kB +a\\.png is poor`),
    );
    expect(table.stdout).toContain(`2 images, 0.0 kB in ${bin.folder}\n`);
    const { folder, rejects: list } = JSON.parse((await rejects('list', '--format', 'json')).stdout);
    expect([folder, list.length]).toEqual([bin.folder, 2]);
    expect(list[0]).toMatchObject({ host: HOST, reasons: expect.any(Array), result: { decision: 'reject' } });
  });

  it('of an empty or absent bin says so', async () => {
    const { rejects, bin } = await withRejects([]);
    expect(await rejects('list')).toMatchObject({ code: 0, stdout: `no rejected images in ${bin.folder}\n` });
  });
});

describe('assay rejects restore', () => {
  it('puts images back; one in the way of which something is fails alone', async () => {
    const { rejects, ids, outputs, bin } = await withRejects(['a.png', 'b.png', 'c.png']);
    writeFileSync(join(outputs, 'a.png'), 'newer');
    const known = await ids();
    const outcome = await rejects('restore', known['a.png']!, known['b.png']!, 'feedfacecafe');
    expect(outcome).toMatchObject({ code: 3, stdout: `restored ${join(outputs, 'b.png')}\n` });
    expect(outcome.stderr).toMatch(/cannot restore to \S+a\.png.*\[RESTORE_CONFLICT\]/s);
    expect(outcome.stderr).toContain('feedfacecafe');
    expect(readFileSync(join(outputs, 'a.png'), 'utf8')).toBe('newer');
    expect(readFileSync(join(outputs, 'b.png'), 'utf8')).toBe('image b.png');
    expect((await bin.list()).map((r) => r.image.filename).toSorted()).toEqual(['a.png', 'c.png']);
  });

  it('puts them into another folder when asked to', async () => {
    const { rejects, folder } = await withRejects(['a.png', 'b.png']);
    const outcome = await rejects('restore', '--all', '--to', join(folder, 'kept', 'here'));
    expect(outcome.code).toBe(0);
    expect(readdirSync(join(folder, 'kept', 'here')).toSorted()).toEqual(['a.png', 'b.png']);
  });

  it.each([[[]], [['--all', 'feedfacecafe']]])('refuses %j', async (args) => {
    const { rejects } = await withRejects(['a.png']);
    expect(await rejects('restore', ...args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('USAGE'),
    });
  });

  it('to anywhere in the output folder is not scored anew', { timeout: 60_000 }, async () => {
    const folder = tempFolder();
    const comfy = await startFake();
    onTestFinished(() => comfy.stop());
    writeModel(join(folder, 'models'));
    const [dataDir, policy] = [join(folder, 'data'), join(folder, 'policy.json')];
    writeFileSync(policy, '{"aspects": {"quality": {"minScore": 5}}, "actions": {"reject": "move"}}');
    const model = ['--models', join(folder, 'models'), '--scorer', 'test-bright', '--threads', '1'];
    const where = ['--comfyui', comfy.url, '--output-dir', comfy.outputDir, '--data-dir', dataDir];
    const watchOnce = () => assay(['watch', '--once', ...where, ...model, '--policy', policy]);
    await watchOnce();
    comfy.addRun({ images: [await png(picture(64, 64))], prefix: 'deep/cat' });
    comfy.addRun({ images: [await png(picture(64, 80))] });
    await watchOnce();
    expect(readdirSync(comfy.outputDir, { recursive: true })).toEqual(['deep']);
    await comfy.restart();
    const to = join(comfy.outputDir, 'kept');
    expect((await assay(['rejects', 'restore', '--all', '--to', to, '--data-dir', dataDir])).code).toBe(0);
    expect(await watchOnce()).toMatchObject({ code: 0, stderr: expect.stringContaining('0 images scored') });
    expect(readdirSync(to)).toHaveLength(2);
    expect(allPages(openedStore(dataDir).store)).toHaveLength(2);
  });
});

describe('assay rejects purge', () => {
  it('deletes for good, and tells what that freed', async () => {
    const { rejects, ids, bin } = await withRejects(['a.png', 'b.png']);
    const outcome = await rejects('purge', (await ids())['a.png']!, '--yes');
    expect(outcome).toMatchObject({ code: 0, stdout: 'deleted 1 image, 0.0 kB freed\n' });
    expect((await bin.list()).map((r) => r.image.filename)).toEqual(['b.png']);
    expect(await rejects('purge', '--all', '--yes')).toMatchObject({ code: 0 });
    expect(readdirSync(join(bin.folder, readdirSync(bin.folder)[0]!))).toEqual([]);
  });

  it('asks first, and deletes nothing where nobody can answer', async () => {
    const { rejects, bin } = await withRejects(['a.png']);
    expect(await rejects('purge', '--all')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(await bin.list()).toHaveLength(1);
  });

  it('spares what is younger', async () => {
    const { rejects, bin } = await withRejects(['a.png', 'b.png']);
    const sidecar = `${(await bin.list())[0]!.path}.json`;
    const about = JSON.parse(readFileSync(sidecar, 'utf8'));
    writeFileSync(
      sidecar,
      JSON.stringify({ ...about, movedAt: new Date(Date.now() - 3 * 8.64e7).toISOString() }),
    );
    const outcome = await rejects('purge', '--older-than', '2d', '--yes');
    expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('deleted 1 image') });
    expect(await bin.list()).toHaveLength(1);
    expect(existsSync(sidecar)).toBe(false);
  });

  it.each([
    [['--all', '--older-than', 'soon', '--yes'], 2],
    [['--yes'], 2],
    [['feedfacecafe', '--yes'], 3],
  ])('%j ends with %i and deletes nothing', async (args, code) => {
    const { rejects, bin } = await withRejects(['a.png']);
    expect((await rejects('purge', ...args)).code).toBe(code);
    expect(await bin.list()).toHaveLength(1);
  });
});
