import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { faultOf } from '../../src/store/file/faults.ts';
import type { Store } from '../../src/store/store.ts';
import { tempFolder } from '../support/files.ts';
import { idsOf, type LogLine, numbered, openedStore, pagesOf, until } from './helpers.ts';

const DOWN = 'verdicts are not recorded for now; scoring goes on';
const UP = 'verdicts are recorded again';
const messages = (lines: LogLine[]): string[] => lines.map((line) => line.msg);
const recovered = (store: Store) => until('recovery', () => store.status().state === 'ok', 15_000);

describe('a lock held by another process', () => {
  /** A process that holds the file for itself until it is ended. */
  async function holdLock(path: string): Promise<ChildProcess> {
    const script = `
      const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync(process.argv[1]);
      db.exec('BEGIN EXCLUSIVE');
      console.log('held');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve, reject) => {
      child.stdout!.once('data', resolve);
      child.once('exit', () => reject(new Error('the process that should hold the lock ended')));
    });
    return child;
  }

  it('makes verdicts wait; they are written when it is released', async () => {
    const folder = tempFolder();
    const { store, lines } = openedStore(folder);
    const holder = await holdLock(join(folder, 'history.db'));
    store.record(numbered(200), 'c');
    await until('degraded', () => store.status().state === 'degraded');
    const start = performance.now();
    store.record(numbered(200, 200), 'c');
    expect(performance.now() - start).toBeLessThan(100);
    expect(store.status().reason).toBe(`another program holds a lock on ${join(folder, 'history.db')}`);
    await expect(store.history({ limit: 1 })).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
    );
    holder.kill('SIGKILL');
    await recovered(store);
    expect(idsOf(await pagesOf(store)).reverse()).toEqual(numbered(400).map((r) => r.id));
    expect(messages(lines)).toEqual([DOWN, UP]);
  });

  it('keeps what waits within its bound and counts the rest', async () => {
    const folder = tempFolder();
    const { store, lines } = openedStore(folder, { maxQueued: 50 });
    const holder = await holdLock(join(folder, 'history.db'));
    for (let i = 0; i < 8; i++) store.record(numbered(10, i * 10), 'c');
    await until('degraded', () => store.status().state === 'degraded');
    expect(store.status()).toMatchObject({ recorded: 0, dropped: 30 });
    holder.kill('SIGKILL');
    await recovered(store);
    expect(await pagesOf(store)).toHaveLength(50);
    expect(store.status()).toMatchObject({ state: 'ok', recorded: 50, dropped: 30 });
    const full = 'too many verdicts wait to be recorded: further ones are dropped';
    expect(messages(lines)).toEqual([full, DOWN, UP]);
  });

  it('at the start does not stop the store from opening, nor at the end from closing', async () => {
    const folder = tempFolder();
    openedStore(folder).store.close();
    const holder = await holdLock(join(folder, 'history.db'));
    const { store } = openedStore(folder);
    expect(store.status().state).toBe('degraded');
    const doomed = openedStore(folder).store;
    doomed.record(numbered(7), 'c');
    doomed.close();
    expect(doomed.status()).toMatchObject({ state: 'off', recorded: 0, dropped: 7 });
    holder.kill('SIGKILL');
    await recovered(store);
    expect((await store.history({ limit: 1 })).entries).toEqual([]);
  });
});

describe('a folder that cannot be made', () => {
  /** The folder would lie below a regular file: that stops root, too. */
  it('makes verdicts wait until it can', async () => {
    const parent = join(tempFolder(), 'file');
    writeFileSync(parent, '');
    const { store, lines } = openedStore(join(parent, 'data'));
    store.record(numbered(5), 'c');
    expect(store.status()).toMatchObject({ state: 'degraded', dropped: 0 });
    expect(store.status().reason).toContain('ENOTDIR');
    rmSync(parent);
    await recovered(store);
    expect(await pagesOf(store)).toHaveLength(5);
    expect(messages(lines)).toEqual([DOWN, UP]);
  });

  it('holds a folder in the place of the file', async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'history.db'));
    const { store } = openedStore(folder);
    store.record(numbered(5), 'c');
    expect(store.status().state).toBe('degraded');
    renameSync(join(folder, 'history.db'), join(folder, 'other'));
    await recovered(store);
    expect(await pagesOf(store)).toHaveLength(5);
  });

  it('is looked for again when a reader asks, however long the pause has grown', async () => {
    const parent = join(tempFolder(), 'file');
    writeFileSync(parent, '');
    const { store } = openedStore(join(parent, 'data'));
    const asks = async () => {
      try {
        return (await store.history({ limit: 1 })).entries;
      } catch {
        return undefined;
      }
    };
    expect(await asks()).toBeUndefined();
    rmSync(parent);
    await until('an answer', async () => (await asks()) !== undefined, 3000);
    store.record(numbered(1), 'c');
    await until('a row', () => store.status().recorded === 1, 3000);
  });
});

const run = (command: string, ...args: string[]) =>
  spawnSync(command, args, { encoding: 'utf8' }).status === 0;

/** Whether this machine lets us mount a disk of our own: root on Linux, mostly. */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = `/tmp/assay-mount-probe-${process.pid}`;
  mkdirSync(probe, { recursive: true });
  const mounted = run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe);
  if (mounted) run('umount', probe);
  rmSync(probe, { recursive: true, force: true });
  return mounted;
}

const mounts = canMount();
const why = mounts ? 'a mounted tmpfs' : 'skipped: needs root and mount -t tmpfs';

/** Runs `body` with a disk of `kib` KiB. */
async function withDisk(kib: number, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = tempFolder();
  if (!run('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder)) throw new Error('mount failed');
  try {
    await body(folder);
  } finally {
    run('umount', '--lazy', folder); // lazy: a test that failed still has its file open
  }
}

/** Fills a disk to the last page. */
function fill(folder: string): string {
  const path = join(folder, 'filler');
  for (const size of [1 << 16, 1 << 12])
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch {
      // full
    }
  return path;
}

describe.skipIf(!mounts)(`a full disk (${why})`, () => {
  it('met while writing: verdicts wait and are written when there is room', () =>
    withDisk(8192, async (folder) => {
      const { store, lines } = openedStore(folder);
      store.record(numbered(20), 'c');
      expect(await pagesOf(store)).toHaveLength(20);
      const filler = fill(folder);
      store.record(numbered(3000, 20), 'c');
      await until('degraded', () => store.status().state === 'degraded');
      expect(store.status().reason).toBe(`no space left on the disk of ${join(folder, 'history.db')}`);
      await expect(store.history({ limit: 1 })).rejects.toThrow(
        /the history is not available: no space left/,
      );
      rmSync(filler);
      await recovered(store);
      expect(idsOf(await pagesOf(store)).reverse()).toEqual(numbered(3020).map((r) => r.id));
      expect(store.status()).toMatchObject({ recorded: 3020, dropped: 0 });
      expect(messages(lines)).toEqual([DOWN, UP]);
      store.close();
    }));

  it('met when an existing file is opened: what is in it stays', () =>
    withDisk(2048, async (folder) => {
      const before = openedStore(folder).store;
      before.record(numbered(20), 'c');
      before.close();
      const filler = fill(folder);
      const { store } = openedStore(folder);
      store.record(numbered(100, 20), 'c');
      await until('degraded', () => store.status().state === 'degraded');
      expect(store.status().reason).toContain('no space left');
      rmSync(filler);
      await recovered(store);
      expect(idsOf(await pagesOf(store)).reverse()).toEqual(numbered(120).map((r) => r.id));
      store.close();
    }));

  it('met at the start: the file is made when there is room', () =>
    withDisk(1024, async (folder) => {
      const filler = fill(folder);
      const { store, lines } = openedStore(folder);
      store.record(numbered(100), 'c');
      expect(store.status().state).toBe('degraded');
      expect(store.status().reason).toContain('no space left');
      rmSync(filler);
      await recovered(store);
      expect(await pagesOf(store)).toHaveLength(100);
      expect(messages(lines)).toEqual([DOWN, UP]);
      store.close();
    }));
});

describe('a file that may only be read', () => {
  it.skipIf(!mounts)(`on a disk mounted read-only (${why})`, () =>
    withDisk(4096, async (folder) => {
      const before = openedStore(folder).store;
      before.record(numbered(3), 'c');
      before.close();
      run('mount', '-o', 'remount,ro', folder);
      const { store, lines } = openedStore(folder);
      store.record(numbered(3, 3), 'c');
      expect(store.status().state).toBe('degraded');
      expect(store.status().reason).toContain('cannot be written');
      run('mount', '-o', 'remount,rw', folder);
      await recovered(store);
      expect(idsOf(await pagesOf(store)).reverse()).toEqual(numbered(6).map((r) => r.id));
      expect(messages(lines)).toEqual([DOWN, UP]);
      store.close();
    }),
  );

  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
    'by its mode (skipped for root)',
    async () => {
      const folder = tempFolder();
      openedStore(folder).store.close();
      for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o400);
      const { store } = openedStore(folder);
      store.record(numbered(3), 'c');
      expect(store.status().state).toBe('degraded');
      chmodSync(join(folder, 'history.db'), 0o600);
      await recovered(store);
      expect(await pagesOf(store)).toHaveLength(3);
    },
  );
});

it.each([
  ['no shared memory', 5386],
  ['no locks', 3850],
])('a disk with %s is told from a damaged file', (_, errcode) => {
  const fault = faultOf(Object.assign(new Error('disk I/O error'), { errcode }), '/mount/history.db');
  expect(fault).toMatchObject({
    kind: 'unfit',
    reason: expect.stringContaining('put dataDir on a disk of this machine'),
  });
});
