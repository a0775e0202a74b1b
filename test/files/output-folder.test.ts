import { mkdirSync, readdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openOutputFolder } from '../../src/files/output-folder.ts';
import { tempFolder } from '../support/files.ts';

const OPTIONS = { writable: true, maxImageBytes: 100, leftovers: /^\.left/ };
const output = (filename: string, subfolder = '') => ({ type: 'output' as const, subfolder, filename });
const code = (name: string) => expect.objectContaining({ code: name });

/** A folder with these files, each changed at that second. */
function folderOf(files: Record<string, number>) {
  const root = tempFolder();
  for (const [name, second] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'x'.repeat(50));
    utimesSync(path, second, second);
  }
  return { root, folder: openOutputFolder(root, OPTIONS) };
}

describe('scanning', () => {
  it('finds images of that time at any depth, and tells of later ones', async () => {
    const { folder } = folderOf({
      'old.png': 9,
      'a.png': 10,
      'b/c/d.WEBP': 20,
      'notes.txt': 15,
      'late.jpg': 30,
    });
    const { found, young } = await folder.scan(10_000, 20_000);
    expect([found.toSorted((a, b) => a.mtimeMs - b.mtimeMs), young]).toEqual([
      [
        { ...output('a.png'), mtimeMs: 10_000 },
        { ...output('d.WEBP', 'b/c'), mtimeMs: 20_000 },
      ],
      true,
    ]);
    expect((await folder.scan(10_000, 30_000)).young).toBe(false);
  });

  it('leaves links out, and a folder inside that is not the host’s', async () => {
    const { root } = folderOf({ 'a.png': 10, 'rejects/b.png': 10 });
    const elsewhere = folderOf({ 'c.png': 10 }).root;
    symlinkSync(elsewhere, join(root, 'linked'));
    symlinkSync(join(elsewhere, 'c.png'), join(root, 'c.png'));
    symlinkSync(join(root, 'rejects'), join(elsewhere, 'bin'));
    const folder = openOutputFolder(root, { ...OPTIONS, except: join(elsewhere, 'bin') });
    expect((await folder.scan(0, 20_000)).found.map((f) => f.filename)).toEqual(['a.png']);
  });

  it('keeps what another process may still be writing', async () => {
    const { root, folder } = folderOf({ '.left-1': 10 });
    await folder.scan(0, 20_000);
    expect(readdirSync(root)).toEqual(['.left-1']);
  });
});

describe('a file', () => {
  it('is read within bounds', async () => {
    const { root, folder } = folderOf({ 'b/a.png': 10 });
    expect((await folder.read(output('a.png', 'b'))).length).toBe(50);
    writeFileSync(join(root, 'big.png'), 'x'.repeat(101));
    await expect(folder.read(output('big.png'))).rejects.toEqual(code('IMAGE_TOO_HEAVY'));
  });

  it.each([
    ['a.png', 'nowhere', 'FILE_NOT_FOUND'],
    ['b', '', 'FILE_UNREADABLE'],
    ['a.png', 'b/a.png', 'FILE_NOT_FOUND'],
    ['../x.png', '', 'PATH_OUTSIDE'],
    ['', '', 'PATH_OUTSIDE'],
  ])('%j in %j is refused: %s', async (filename, subfolder, expected) => {
    const { folder } = folderOf({ 'b/a.png': 10 });
    await expect(folder.locate(output(filename, subfolder))).rejects.toEqual(code(expected));
  });

  it('of a folder that went away is not called gone', async () => {
    const { root, folder } = folderOf({ 'a.png': 10 });
    renameSync(root, `${root}-away`);
    await expect(folder.locate(output('a.png'))).rejects.toEqual(code('OUTPUT_DIR_UNUSABLE'));
    await expect(folder.scan(0, 1)).rejects.toEqual(code('OUTPUT_DIR_UNUSABLE'));
    renameSync(`${root}-away`, root);
    expect(await folder.locate(output('a.png'))).toMatch(/a\.png$/);
  });
});

it.each(['missing', 'a file'])('a folder that is %s cannot be used', (what) => {
  const path = join(tempFolder(), 'outputs');
  if (what === 'a file') writeFileSync(path, '');
  expect(() => openOutputFolder(path, OPTIONS)).toThrow(code('OUTPUT_DIR_UNUSABLE'));
});

describe('links to folders elsewhere', () => {
  function linked(allowed: 'nothing' | 'the target' | 'its parent') {
    const root = tempFolder();
    const big = join(folderOf({ 'disk/c.png': 10, 'disk/deep/d.png': 10, 'other/e.png': 10 }).root);
    const disk = join(big, 'disk');
    symlinkSync(disk, join(root, 'archive'));
    symlinkSync(join(big, 'other'), join(root, 'other'));
    symlinkSync(root, join(disk, 'back'));
    symlinkSync(disk, join(disk, 'deep', 'round'));
    symlinkSync(join(disk, 'c.png'), join(disk, 'link.png'));
    const folders = { nothing: [], 'the target': [disk], 'its parent': [big] }[allowed];
    return { disk, folder: openOutputFolder(root, { ...OPTIONS, linked: folders }) };
  }
  const names = async ({ folder }: ReturnType<typeof linked>) =>
    (await folder.scan(0, 20_000)).found.map((f) => `${f.subfolder}/${f.filename}`).toSorted();

  it('are followed where the config allows it, each folder once', async () => {
    expect(await names(linked('nothing'))).toEqual([]);
    expect(await names(linked('the target'))).toEqual(['archive/c.png', 'archive/deep/d.png']);
    expect(await names(linked('its parent'))).toEqual(['archive/c.png', 'archive/deep/d.png', 'other/e.png']);
  });

  it('are told with what to do where it does not', async () => {
    const { disk, folder } = linked('nothing');
    await expect(folder.locate(output('c.png', 'archive'))).rejects.toMatchObject({
      code: 'LINK_OUTSIDE',
      kind: 'setup',
      message: expect.stringContaining(`to ${disk}`),
    });
    const allowed = linked('the target');
    expect(await allowed.folder.locate(output('c.png', 'archive'))).toBe(join(allowed.disk, 'c.png'));
    expect(await allowed.folder.locate(output('d.png', 'archive/deep'))).toBe(
      join(allowed.disk, 'deep', 'd.png'),
    );
    await expect(allowed.folder.locate(output('link.png', 'archive'))).rejects.toEqual(code('PATH_OUTSIDE'));
    await expect(allowed.folder.locate(output('e.png', 'other'))).rejects.toEqual(code('LINK_OUTSIDE'));
  });
});
