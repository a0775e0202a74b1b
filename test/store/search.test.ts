/** Searches of a large history: beside the main thread, in bounded time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/file/db.ts';
import { openStore } from '../../src/store/store.ts';
import { allPages, idsOf, keptLog, numbered, openedStore, pagesOf } from './helpers.ts';

const ROWS = 50_000;
const folder = mkdtempSync(join(tmpdir(), 'assay-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Many verdicts, the oldest of them with a prompt of its own. */
beforeAll(async () => {
  const store = openStore({ dataDir: folder, log: keptLog().log });
  const db = openDatabase(join(folder, 'history.db'));
  db.exec(`
    INSERT INTO verdicts (at, client, item, prompt, guards, reasons)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS - 1})
    SELECT i, 'c', 'n' || i, iif(i < 2, 'a needle', hex(zeroblob(400))), '[]', '[]' FROM n`);
  db.close();
  await store.close();
});

const large = (options: { searchMs?: number } = {}) => openedStore(folder, options);

describe('a search through 50,000 verdicts', () => {
  it('leaves the main thread to others', async () => {
    const { store } = large();
    await store.history({ limit: 1 }); // starts the thread
    const before = performance.eventLoopUtilization();
    const { entries } = await store.history({ limit: 5, prompt: 'NEEDLE' });
    const { active } = performance.eventLoopUtilization(before);
    expect(idsOf(entries)).toEqual(['n1', 'n0']);
    const start = performance.now();
    expect(idsOf(allPages(store, { limit: 5, prompt: 'NEEDLE' }))).toEqual(['n1', 'n0']);
    expect(active).toBeLessThan((performance.now() - start) / 3); // what it takes on this thread
  });

  it('ends when its time is up, and the next page goes on there', async () => {
    const { store } = large({ searchMs: 0 });
    const first = await store.history({ limit: 5, prompt: 'needle' });
    expect(first.entries).toEqual([]);
    expect(first.next).not.toBeNull();
    expect(idsOf(await pagesOf(store, { prompt: 'needle', limit: 1 }))).toEqual(['n1', 'n0']);
    expect(idsOf(await pagesOf(store, { prompt: 'nothing of it' }))).toEqual([]);
    expect((await store.history({ limit: 2 })).entries).toHaveLength(2);
  });

  it('holds up no verdict, and is given up with its caller', async () => {
    const { store } = large();
    const gone = new AbortController();
    const searches = [1, 2, 3].map(() => store.history({ limit: 5, prompt: 'needle' }));
    const givenUp = store.history({ limit: 5, prompt: 'needle' }, gone.signal);
    store.record(numbered(20), 'c');
    gone.abort(new Error('left'));
    await expect(givenUp).rejects.toThrow('left');
    expect((await Promise.all(searches)).map(({ entries }) => entries.length)).toEqual([2, 2, 2]);
    expect(store.status()).toMatchObject({ state: 'ok', recorded: 20 });
  });

  it('ends with the store', async () => {
    const { store } = large();
    const search = store.history({ limit: 5, prompt: 'needle' }).catch((error) => error.message);
    await store.close();
    expect(await search).toBe('the history is not available: it is closed');
  });
});
