import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MIGRATIONS } from '../../src/store/file/migrations/index.ts';
import { tempFolder } from '../support/files.ts';
import { idsOf, numbered, openedStore, pagesOf, result, until } from './helpers.ts';

/** A database of the test's own, closed when it ends. */
function database(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  onTestFinished(() => {
    if (db.isOpen) db.close();
  });
  return db;
}

/** All that SQLite knows of a file's tables and indexes. */
function schemaOf(path: string) {
  const db = database(path);
  const schema = db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
  const version = db.prepare('PRAGMA user_version').get()!.user_version;
  db.close();
  return { schema, version };
}

describe('the schema', () => {
  it('is made in a new file, which logs ahead', () => {
    const folder = tempFolder();
    openedStore(folder).store.close();
    const path = join(folder, 'history.db');
    expect(schemaOf(path).version).toBe(MIGRATIONS.length);
    expect(database(path).prepare('PRAGMA journal_mode').get()!.journal_mode).toBe('wal');
  });

  it.each(MIGRATIONS.map((_, done) => done))(
    'of version %i is brought up to date, its rows kept',
    async (done) => {
      const [old, fresh] = [tempFolder(), tempFolder()];
      const db = database(join(old, 'history.db'));
      for (const sql of MIGRATIONS.slice(0, done)) db.exec(sql);
      db.exec(`PRAGMA user_version = ${done}`);
      if (done > 0)
        db.exec(
          `INSERT INTO verdicts (at, client, item, guards, reasons) VALUES (5, 'c', 'old', '[]', '[]')`,
        );
      db.close();

      const { store, lines } = openedStore(old);
      store.record([result({ id: 'new' })], 'c');
      expect(idsOf(await pagesOf(store))).toEqual(done > 0 ? ['new', 'old'] : ['new']);
      expect(lines).toEqual([]);
      store.close();
      openedStore(fresh).store.close();
      expect(schemaOf(join(old, 'history.db'))).toEqual(schemaOf(join(fresh, 'history.db')));
    },
  );

  it('is made once when a file is empty', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'history.db'), '');
    for (let i = 0; i < 3; i++) {
      const { store } = openedStore(folder);
      store.record(numbered(1, i), 'c');
      store.close();
    }
    expect(idsOf(await pagesOf(openedStore(folder).store))).toEqual(['n2', 'n1', 'n0']);
  });
});

describe('a file of a newer Assay', () => {
  function newerFile() {
    const folder = tempFolder();
    const path = join(folder, 'history.db');
    const db = database(path);
    db.exec('CREATE TABLE of_the_future (x); PRAGMA user_version = 99');
    db.close();
    return { folder, path };
  }

  it('is refused and left as it is', async () => {
    const { folder, path } = newerFile();
    const before = readFileSync(path);
    const { store, lines } = openedStore(folder);
    store.record(numbered(5), 'c');
    const reason = `${path} comes from a newer Assay and was left untouched (its schema is version 99, this Assay knows ${MIGRATIONS.length}); update Assay`;
    expect(store.status()).toEqual({ state: 'degraded', reason, recorded: 0, dropped: 0 });
    await expect(store.history({ limit: 1 })).rejects.toThrow(reason);
    store.close();
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(lines.map((line) => line.msg)).toEqual([
      'verdicts are not recorded for now; scoring goes on',
      'closed before these verdicts could be recorded',
    ]);
  });

  it('makes room for a fresh one when it is moved away', async () => {
    const { folder, path } = newerFile();
    const { store } = openedStore(folder);
    store.record(numbered(5), 'c');
    renameSync(path, join(folder, 'kept.db'));
    await until('recovery', () => store.status().state === 'ok');
    expect(await pagesOf(store)).toHaveLength(5);
  });
});
