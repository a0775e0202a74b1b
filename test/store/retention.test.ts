/** Old verdicts are deleted when the settings ask for it, and nothing else is. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/store/file/db.ts';
import { retentionOf } from '../../src/store/store.ts';
import { tempFolder } from '../support/files.ts';
import { allPages, idsOf, numbered, openedStore, result, until } from './helpers.ts';

const DAY_MS = 86_400_000;
const NOW = 100 * DAY_MS;
/** Rounds without pause, so that no test waits. */
const EAGER = { firstMs: 0, everyMs: 5 };

/** A folder with `count` verdicts, 10 kB each, recorded `ageMs` ago. */
async function filled(count: number, ageMs = 0, folder = tempFolder()): Promise<string> {
  const { store } = openedStore(folder, { now: () => NOW - ageMs });
  const prompt = 'long prompt '.repeat(800);
  store.record(
    numbered(count).map((r) => ({ ...r, prompt })),
    'c',
  );
  await store.close();
  return folder;
}

const sizeOf = (folder: string): number => statSync(join(folder, 'history.db')).size;

describe('the retention', () => {
  it('is off unless the config asks for it', () => {
    expect(retentionOf(loadConfig({}, undefined, {}))).toBeUndefined();
    expect(retentionOf(loadConfig({}, undefined, { ASSAY_HISTORY_MAX_AGE_DAYS: '2' }))).toEqual({
      maxAgeMs: 2 * DAY_MS,
      maxBytes: undefined,
    });
  });

  it('deletes what is too old, and keeps the rest', async () => {
    const folder = await filled(120, 3 * DAY_MS);
    await filled(2, DAY_MS, folder);
    const { store, lines } = openedStore(folder, {
      now: () => NOW,
      retention: { maxAgeMs: 2 * DAY_MS, ...EAGER },
    });
    await until('the old ones are gone', () => allPages(store).length === 2);
    await until('it is told', () => lines.length > 0);
    expect(lines).toMatchObject([{ msg: 'deleted the oldest verdicts, as the retention asks' }]);
    const db = openDatabase(join(folder, 'history.db'), { readOnly: true });
    expect(db.prepare('SELECT count(*) AS n FROM aspects').get()!.n).toBe(4);
    db.close();
  });

  it.each(['of this version', 'of an older version'])(
    'deletes down to a size, and cuts a file %s',
    async (kind) => {
      const folder = await filled(500);
      if (kind === 'of an older version') {
        const db = openDatabase(join(folder, 'history.db'));
        db.exec('PRAGMA auto_vacuum = NONE; VACUUM');
        db.close();
      }
      expect(sizeOf(folder)).toBeGreaterThan(4e6);
      const { store } = openedStore(folder, { retention: { maxBytes: 2 ** 20, ...EAGER } });
      await until('the file is small', () => sizeOf(folder) <= 2 ** 20);
      const left = idsOf(allPages(store));
      expect(left.length).toBeGreaterThan(40);
      expect(left).toEqual(
        numbered(left.length, 500 - left.length)
          .map((r) => r.id)
          .toReversed(),
      );
    },
  );

  it('leaves what a file of a host still needs, and the knowledge of what was scored', async () => {
    const { store } = openedStore(tempFolder(), {
      now: () => NOW,
      retention: { maxAgeMs: -1, ...EAGER },
    });
    const ledger = store.ledger('http://127.0.0.1:8188');
    const output = {
      filename: 'a.png',
      subfolder: '',
      type: 'output',
      promptId: 'p',
      node: '9',
      at: 1,
    } as const;
    const kept = { ...output, filename: 'kept.png', action: 'keep' } as const;
    ledger.record(result({ id: 'pending' }), { ...output, action: 'move' }, 'watch');
    ledger.record(result({ id: 'kept' }), kept, 'watch');
    await until('the verdict of the kept one is gone', () => allPages(store).length === 1);
    expect(ledger.pending(0, 10)).toMatchObject([{ result: { id: 'pending' } }]);
    expect(ledger.find(kept)).toMatchObject({ sha256: result().sha256, state: 'done' });
    expect(ledger.record(result(), kept, 'watch')).toBeNull();
  });

  it('holds up no verdict and no search', async () => {
    const folder = await filled(1500, 3 * DAY_MS);
    const { store } = openedStore(folder, { now: () => NOW, retention: { maxAgeMs: DAY_MS, ...EAGER } });
    for (let i = 0; i < 20; i++) {
      store.record(numbered(5, 5 * i), 'c');
      expect((await store.history({ limit: 1 })).entries[0]!.result.id).toBe(`n${5 * i + 4}`);
    }
    await until('the old ones are gone', () => allPages(store).length === 100);
    expect(store.status()).toMatchObject({ state: 'ok', recorded: 100, dropped: 0 });
  });

  it('stops when the store is closed, and all that waits is written', async () => {
    const folder = await filled(1500, 3 * DAY_MS);
    const { store } = openedStore(folder, { now: () => NOW, retention: { maxAgeMs: DAY_MS, ...EAGER } });
    await until('it has begun', () => allPages(store).length < 1500);
    store.record(numbered(50, 9000), 'c');
    await store.close();
    expect(store.status()).toMatchObject({ recorded: 50, dropped: 0 });
  });
});
