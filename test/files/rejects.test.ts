import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Entry, openRejectBin } from '../../src/files/rejects/bin.ts';
import { moveFile } from '../../src/files/rejects/move.ts';
import { result } from '../store/helpers.ts';
import { tempFolder } from '../support/files.ts';
import { uid, unprivileged } from '../support/unprivileged.ts';

const entry = (changes: Partial<Entry> = {}): Entry => ({
  host: 'http://127.0.0.1:8188',
  image: { type: 'output', subfolder: '', filename: 'cat.png' },
  at: Date.UTC(2026, 2, 1, 12),
  sha256: 'ab'.repeat(32),
  result: result({ decision: 'reject', reasons: ['quality 1.00 is below 2.00'] }),
  ...changes,
});

function place() {
  const folder = tempFolder();
  const path = join(folder, 'cat.png');
  writeFileSync(path, 'an image');
  return { folder, path, bin: openRejectBin(join(folder, 'rejects')) };
}

describe('the reject bin', () => {
  it('takes an image in with its sidecar, in a folder of the day', async () => {
    const { folder, path, bin } = place();
    await bin.put(path, entry());
    expect(existsSync(path)).toBe(false);
    const [rejected] = await bin.list();
    expect(rejected).toMatchObject({
      original: path,
      bytes: 8,
      reasons: entry().result.reasons,
      result: entry().result,
    });
    expect(readdirSync(join(folder, 'rejects'))).toEqual(['2026-03-01']);
    expect(readdirSync(join(folder, 'rejects', '2026-03-01'))).toEqual([
      `cat.${rejected!.id}.png`,
      `cat.${rejected!.id}.png.json`,
    ]);
  });

  it('keeps two images of one name apart', async () => {
    const { path, bin } = place();
    await bin.put(path, entry());
    writeFileSync(path, 'another');
    await bin.put(path, entry({ result: result({ sha256: 'ff' }) }));
    expect((await bin.list()).map((r) => readFileSync(r.path, 'utf8')).toSorted()).toEqual([
      'an image',
      'another',
    ]);
  });

  it('finishes a move that ended half-way, and only that', async () => {
    const { path, bin } = place();
    await bin.put(path, entry());
    const { path: inBin } = (await bin.list())[0]!;
    linkSync(inBin, path);
    expect(await bin.holds(entry())).toBe(true);
    await bin.put(path, entry());
    expect([existsSync(path), (await bin.list()).length]).toEqual([false, 1]);
    writeFileSync(path, 'a newer image');
    await bin.put(path, entry());
    expect(readFileSync(path, 'utf8')).toBe('a newer image');
  });

  it('clears what a crash left, not what may be in the making', async () => {
    const { folder, path, bin } = place();
    await bin.put(path, entry());
    const { path: inBin, id } = (await bin.list())[0]!;
    await moveFile(inBin, path);
    await bin.prepare();
    const day = join(folder, 'rejects', '2026-03-01');
    expect(readdirSync(day)).toEqual([`cat.${id}.png.json`]);
    utimesSync(`${inBin}.json`, 1, 1);
    await bin.prepare();
    expect([readdirSync(day), existsSync(path)]).toEqual([[], true]);
  });

  it('ignores what is not its own', async () => {
    const { folder, path, bin } = place();
    await bin.put(path, entry());
    const day = join(folder, 'rejects', '2026-03-01');
    writeFileSync(join(day, 'foreign.png'), 'x');
    writeFileSync(join(day, 'foreign.png.json'), '{"version": 2}');
    writeFileSync(join(day, 'broken.png.json'), '{');
    writeFileSync(join(folder, 'rejects', 'README'), 'hello');
    expect(await bin.list()).toHaveLength(1);
  });

  it('names a very long name shorter, and keeps the old one in the sidecar', async () => {
    const { folder, bin } = place();
    const filename = `${'ü'.repeat(120)}.png`;
    writeFileSync(join(folder, filename), 'x');
    await bin.put(join(folder, filename), entry({ image: { type: 'output', subfolder: '', filename } }));
    expect((await bin.list())[0]!.original).toBe(join(folder, filename));
  });

  it.each(['a file', 'a file above it'])('is unusable when its folder is %s', async (what) => {
    const { path, folder } = place();
    const bin = openRejectBin(what === 'a file' ? path : join(path, 'rejects'));
    const unusable = expect.objectContaining({ code: 'REJECT_BIN_UNUSABLE' });
    await expect(bin.prepare()).rejects.toEqual(unusable);
    writeFileSync(join(folder, 'b.png'), 'b');
    await expect(bin.put(join(folder, 'b.png'), entry())).rejects.toEqual(unusable);
    expect(readFileSync(join(folder, 'b.png'), 'utf8')).toBe('b');
    expect(await bin.list()).toEqual([]);
  });
});

describe('an image that is restored', () => {
  it('is back as it was', async () => {
    const { path, bin } = place();
    utimesSync(path, 1000, 1000);
    await bin.put(path, entry());
    const [rejected] = await bin.list();
    await bin.restore(rejected!, path);
    expect([readFileSync(path, 'utf8'), await bin.list()]).toEqual(['an image', []]);
    expect(readdirSync(join(rejected!.path, '..'))).toEqual([]);
  });

  it('never overwrites anything', async () => {
    const { path, bin } = place();
    await bin.put(path, entry());
    writeFileSync(path, 'in the way');
    const [rejected] = await bin.list();
    const conflict = expect.objectContaining({
      code: 'RESTORE_CONFLICT',
      message: expect.stringContaining(path),
    });
    await expect(bin.checkFree(path)).rejects.toEqual(conflict);
    await expect(bin.restore(rejected!, path)).rejects.toEqual(conflict);
    expect([readFileSync(path, 'utf8'), (await bin.list()).length]).toEqual(['in the way', 1]);
  });

  it('gets its folder made anew', async () => {
    const { folder, path, bin } = place();
    await bin.put(path, entry());
    const target = join(folder, 'new', 'deep', 'cat.png');
    await bin.restore((await bin.list())[0]!, target);
    expect(readFileSync(target, 'utf8')).toBe('an image');
  });
});

describe('moving a file', () => {
  it('refuses a place that is taken', async () => {
    const { folder, path } = place();
    writeFileSync(join(folder, 'b.png'), 'b');
    await expect(moveFile(path, join(folder, 'b.png'))).rejects.toMatchObject({ code: 'EEXIST' });
    expect([readFileSync(path, 'utf8'), readFileSync(join(folder, 'b.png'), 'utf8')]).toEqual([
      'an image',
      'b',
    ]);
  });

  const other = '/dev/shm';
  it.skipIf(!existsSync(other))(`to another disk copies it whole (${other})`, async () => {
    const { folder, path } = place();
    const away = join(other, `assay-move-${process.pid}`);
    mkdirSync(away);
    try {
      utimesSync(path, 1000, 1000);
      await moveFile(path, join(away, 'a.png'));
      expect(readdirSync(away)).toEqual(['a.png']);
      writeFileSync(path, 'newer');
      await expect(moveFile(path, join(away, 'a.png'))).rejects.toMatchObject({ code: 'EEXIST' });
      expect(readFileSync(path, 'utf8')).toBe('newer');
      await moveFile(join(away, 'a.png'), join(folder, 'back.png'));
      expect(readFileSync(join(folder, 'back.png'), 'utf8')).toBe('an image');
    } finally {
      rmSync(away, { recursive: true });
    }
  });

  it.skipIf(!existsSync(other))(
    'takes a read-only file to another disk, as who may not write it',
    async () => {
      const { folder, path } = place();
      const away = join(other, `assay-move-read-only-${process.pid}`);
      mkdirSync(away);
      try {
        chmodSync(path, 0o444);
        for (const owned of [folder, path, away]) chownSync(owned, uid, uid);
        await unprivileged(() => moveFile(path, join(away, 'a.png')));
        expect([existsSync(path), readdirSync(away)]).toEqual([false, ['a.png']]);
        expect(statSync(join(away, 'a.png')).mode & 0o777).toBe(0o444);
      } finally {
        rmSync(away, { recursive: true });
      }
    },
  );

  describe.skipIf(process.platform === 'win32')('out of a folder that cannot be written', () => {
    function locked() {
      const { folder } = place();
      const album = join(folder, 'album');
      const path = join(album, 'cat.png');
      mkdirSync(album);
      writeFileSync(path, 'an image');
      for (const owned of [folder, path, album]) chownSync(owned, uid, uid);
      chmodSync(album, 0o555);
      return { path, folder };
    }

    it('is undone, and says which file stayed', async () => {
      const { path, folder } = locked();
      const bin = openRejectBin(join(folder, 'rejects'));
      const put = unprivileged(() => bin.put(path, entry()));
      await expect(put).rejects.toMatchObject({ code: 'MOVE_DENIED', details: { path } });
      expect(readFileSync(path, 'utf8')).toBe('an image');
      expect(await bin.list()).toEqual([]);
      expect(readdirSync(join(folder, 'rejects', '2026-03-01'))).toEqual([]);
    });

    it.skipIf(!existsSync(other))('is undone on another disk, too', async () => {
      const { path } = locked();
      const away = join(other, `assay-move-locked-${process.pid}`);
      mkdirSync(away);
      chownSync(away, uid, uid);
      try {
        const move = unprivileged(() => moveFile(path, join(away, 'a.png')));
        await expect(move).rejects.toMatchObject({ code: 'MOVE_DENIED' });
        expect([existsSync(path), readdirSync(away)]).toEqual([true, []]);
      } finally {
        rmSync(away, { recursive: true });
      }
    });
  });
});
