import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../support/files.ts';
import { idsOf, numbered, openedStore, pagesOf, until } from './helpers.ts';

const MOVED = /^history\.corrupt-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d+)?\.db$/;
/** Damaged files that were moved aside, without what lies beside them. */
const asideIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => MOVED.test(name))
    .sort();

/** A folder whose history holds 2,000 rows and is closed. */
function filledFolder() {
  const folder = tempFolder();
  const { store } = openedStore(folder);
  store.record(numbered(2000), 'c');
  store.close();
  return { folder, path: join(folder, 'history.db') };
}

describe('a damaged file is moved aside and a fresh one begun', () => {
  const DAMAGE: [string, (path: string) => void][] = [
    ['garbage', (path) => writeFileSync(path, 'not a database, whatever its name says. '.repeat(500))],
    ['a little garbage', (path) => writeFileSync(path, 'x'.repeat(700))],
    ['cut in the middle of a page', (path) => truncateSync(path, Math.floor(statSync(path).size / 2) + 100)],
    ['cut at a page', (path) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)],
    ['cut to its header', (path) => truncateSync(path, 4096)],
  ];

  it.each(DAMAGE)('found at the start: %s', async (_, damage) => {
    const { folder, path } = filledFolder();
    damage(path);
    const damaged = readFileSync(path);
    const { store, lines } = openedStore(folder);
    store.record(numbered(3, 5000), 'c');
    expect(store.status()).toMatchObject({ state: 'ok', reason: null });
    expect(idsOf(await pagesOf(store))).toEqual(['n5002', 'n5001', 'n5000']);
    expect(asideIn(folder)).toHaveLength(1);
    expect(readFileSync(join(folder, asideIn(folder)[0]!)).equals(damaged)).toBe(true);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ msg: 'the history was damaged: it was moved and a new one begun' });
    expect(lines[0]!.movedTo).toBe(join(folder, asideIn(folder)[0]!));
  });

  /** Overwrites everything after the first page in place, so that only a later read meets the damage. */
  function spoilPages(path: string): void {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 4096));
  }

  it('found while writing: what waits goes into the fresh one', async () => {
    const { folder, path } = filledFolder();
    spoilPages(path);
    const { store } = openedStore(folder);
    store.record(numbered(300, 5000), 'c');
    await until('300 rows', () => store.status().recorded === 300);
    expect(store.status().state).toBe('ok');
    expect(await pagesOf(store)).toHaveLength(300);
    expect(asideIn(folder)).toHaveLength(1);
  });

  it('found while reading: that call says so, the next one answers', async () => {
    const { folder, path } = filledFolder();
    spoilPages(path);
    const { store } = openedStore(folder);
    await expect(store.history({ limit: 5 })).rejects.toThrow(
      /the history is not available: .*history\.db is damaged/,
    );
    expect((await store.history({ limit: 5 })).entries).toEqual([]);
    expect(store.status().state).toBe('ok');
  });

  it('found at the very end: what waits is written all the same', async () => {
    const { folder, path } = filledFolder();
    spoilPages(path);
    const { store } = openedStore(folder);
    store.record(numbered(10), 'c');
    store.close();
    expect(store.status()).toMatchObject({ recorded: 10, dropped: 0 });
    expect(await pagesOf(openedStore(folder).store)).toHaveLength(10);
  });

  it('time and again, each kept under a name of its own', () => {
    const folder = tempFolder();
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(folder, 'history.db'), `garbage ${i} `.repeat(100));
      openedStore(folder, { now: () => 1_700_000_000_000 }).store.close();
    }
    expect(asideIn(folder)).toEqual([
      'history.corrupt-2023-11-14T22-13-20-2.db',
      'history.corrupt-2023-11-14T22-13-20-3.db',
      'history.corrupt-2023-11-14T22-13-20.db',
    ]);
  });

  it('but not twice in a minute, so that a broken disk makes no heap of files', async () => {
    const { folder, path } = filledFolder();
    const { store } = openedStore(folder);
    const spoil = () => {
      for (const part of ['', '-wal', '-shm']) rmSync(path + part, { force: true });
      writeFileSync(path, 'garbage'.repeat(1000));
      store.record(numbered(5), 'c');
    };
    spoil();
    await until('the first move', () => store.status().recorded === 5);
    spoil();
    await until('degraded', () => store.status().state === 'degraded');
    expect(store.status().reason).toContain('is damaged');
    expect(asideIn(folder)).toHaveLength(1);
    rmSync(path);
    await until('recovery', () => store.status().state === 'ok');
    expect(store.status().recorded).toBe(10);
  });

  it('together with the log of writes beside it', async () => {
    const { folder, path } = filledFolder();
    writeFileSync(path, 'garbage'.repeat(1000));
    writeFileSync(`${path}-wal`, 'a log');
    const { store } = openedStore(folder);
    store.record(numbered(1), 'c');
    expect(await pagesOf(store)).toHaveLength(1);
    const [moved] = asideIn(folder);
    expect(readFileSync(join(folder, `${moved}-wal`), 'utf8')).toBe('a log');
  });
});

describe('a file that goes while it is open', () => {
  it('is begun anew when deleted', async () => {
    const { folder, path } = filledFolder();
    const { store } = openedStore(folder);
    for (const part of ['', '-wal', '-shm']) rmSync(path + part, { force: true });
    store.record(numbered(3), 'c');
    await until('3 rows', () => store.status().recorded === 3);
    expect(await pagesOf(store)).toHaveLength(3);
    store.close();
    expect(await pagesOf(openedStore(folder).store)).toHaveLength(3);
  });

  it('is begun anew when its folder is moved away', async () => {
    const { folder } = filledFolder();
    const inner = join(folder, 'data');
    const { store } = openedStore(inner);
    renameSync(inner, join(folder, 'elsewhere'));
    store.record(numbered(3), 'c');
    await until('3 rows', () => store.status().recorded === 3);
    store.close();
    expect(await pagesOf(openedStore(inner).store)).toHaveLength(3);
  });
});
