/** Scores in files on disk: replaced whole, or left as they are. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readTag, tagFile } from '../../../src/files/metadata/file.ts';
import { tempFolder } from '../../support/files.ts';
import { comfyPng, record } from './containers.ts';

let image: Buffer;
beforeAll(async () => {
  image = await comfyPng();
});

const UNWRITABLE = (reason: RegExp) =>
  expect.objectContaining({ code: 'METADATA_UNWRITABLE', message: expect.stringMatching(reason) });

function setUp(bytes: Uint8Array = image) {
  const folder = tempFolder();
  const path = join(folder, 'a.png');
  writeFileSync(path, bytes);
  return { folder, path };
}

/** Runs as a user whom permissions bind: root may write anywhere. */
async function unprivileged(run: () => Promise<void>): Promise<void> {
  const root = process.getuid?.() === 0;
  try {
    if (root) process.seteuid!(65_534);
    await run();
  } finally {
    if (root) process.seteuid!(0);
  }
}

describe('tagFile', () => {
  it('keeps the mode and the time of the file, and leaves nothing beside it', async () => {
    const { folder, path } = setUp();
    chmodSync(path, 0o640);
    utimesSync(path, 1_600_000_000.25, 1_600_000_001.5);
    await tagFile(path, record());
    expect(await readTag(path)).toEqual(record());
    const { mode, mtimeMs } = statSync(path);
    expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_600_000_001_500]);
    expect(readdirSync(folder)).toEqual(['a.png']);
  });

  it('follows a link and leaves it a link', async () => {
    const { folder, path } = setUp();
    mkdirSync(join(folder, 'links'));
    const link = join(folder, 'links', 'b.png');
    symlinkSync('../a.png', link);
    await tagFile(link, record());
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(await readTag(path)).toEqual(record());
    expect(readdirSync(join(folder, 'links'))).toEqual(['b.png']);
  });

  it('of the same file many times at once leaves it whole', async () => {
    const { folder, path } = setUp();
    const rewards = Array.from({ length: 8 }, (_, i) => i / 10);
    const outcomes = await Promise.allSettled(rewards.map((reward) => tagFile(path, record(reward))));
    expect(rewards).toContain((await readTag(path))?.reward);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const o of outcomes) if (o.status === 'rejected') expect(o.reason).toEqual(UNWRITABLE(/meanwhile/));
    expect(readdirSync(folder)).toEqual(['a.png']);
  });

  it('refuses a file that is no longer what was scored', async () => {
    const { path } = setUp();
    const digest = createHash('sha256').update(image).digest('hex');
    await tagFile(path, record(0.1), digest);
    const tagged = readFileSync(path);
    await expect(tagFile(path, record(0.2), digest)).rejects.toEqual(UNWRITABLE(/since it was scored/));
    expect(readFileSync(path)).toEqual(tagged);
  });

  it('refuses a file that another program writes to meanwhile', async () => {
    // Large, so that the copy takes longer than the word of its beginning.
    const { folder, path } = setUp(Buffer.concat([image, Buffer.alloc(40 * 2 ** 20)]));
    let changed = false;
    const watcher = watch(folder, (_event, name) => {
      if (changed || !name?.endsWith('.tmp')) return;
      changed = true;
      appendFileSync(path, 'more');
    });
    onTestFinished(() => watcher.close());
    await expect(tagFile(path, record())).rejects.toEqual(UNWRITABLE(/changed meanwhile/));
    expect(readFileSync(path).subarray(-4).toString()).toBe('more');
    expect(await readTag(path)).toBeNull();
    expect(readdirSync(folder)).toEqual(['a.png']);
  });

  it('leaves a file alone in a folder that it cannot write to', async () => {
    const { folder, path } = setUp();
    chmodSync(folder, 0o555);
    onTestFinished(() => chmodSync(folder, 0o755));
    await unprivileged(() =>
      expect(tagFile(path, record())).rejects.toEqual(UNWRITABLE(/permission denied/)),
    );
    expect(readFileSync(path)).toEqual(image);
    expect(readdirSync(folder)).toEqual(['a.png']);
  });

  it('leaves a damaged file alone', async () => {
    const { folder, path } = setUp(image.subarray(0, image.length - 20));
    await expect(tagFile(path, record())).rejects.toEqual(UNWRITABLE(/a\.png: the PNG/));
    expect(readFileSync(path)).toEqual(image.subarray(0, image.length - 20));
    expect(readdirSync(folder)).toEqual(['a.png']);
  });

  it.each<[string, (folder: string) => string, string]>([
    ['a missing file', (folder) => join(folder, 'none.png'), 'FILE_NOT_FOUND'],
    ['a folder', (folder) => folder, 'FILE_UNREADABLE'],
    [
      'a broken link',
      (folder) => {
        symlinkSync('nowhere', join(folder, 'l.png'));
        return join(folder, 'l.png');
      },
      'FILE_NOT_FOUND',
    ],
    [
      'a link to itself',
      (folder) => {
        symlinkSync('loop.png', join(folder, 'loop.png'));
        return join(folder, 'loop.png');
      },
      'FILE_UNREADABLE',
    ],
    [
      'a text',
      (folder) => {
        writeFileSync(join(folder, 't.png'), 'hello');
        return join(folder, 't.png');
      },
      'METADATA_UNSUPPORTED',
    ],
  ])('says what is wrong with %s', async (_name, make, code) => {
    const { folder } = setUp();
    const path = make(folder);
    await expect(tagFile(path, record())).rejects.toMatchObject({ code });
    await expect(readTag(path)).rejects.toMatchObject({ code });
  });

  it.skipIf(process.platform === 'win32')('does not wait for a pipe', async () => {
    const pipe = join(tempFolder(), 'p.png');
    execFileSync('mkfifo', [pipe]);
    await expect(tagFile(pipe, record())).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});
