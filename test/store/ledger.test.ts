import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { HostFile, NewOutput } from '../../src/host.ts';
import { disabledStore } from '../../src/store/disabled.ts';
import { tempFolder } from '../support/files.ts';
import { openedStore, pagesOf, result } from './helpers.ts';

const URL_A = 'http://127.0.0.1:8188';
const FILE: HostFile = { type: 'output', subfolder: 'deep', filename: 'cat.png' };
const output = (changes: Partial<NewOutput> = {}): NewOutput => ({
  ...FILE,
  promptId: 'p1',
  node: '9',
  at: 1000,
  action: 'keep',
  ...changes,
});
const ledgerOf = (host = URL_A) => {
  const { store } = openedStore(tempFolder());
  return { store, ledger: store.ledger(host) };
};

describe('the ledger', () => {
  it('writes verdict and row together', async () => {
    const { store, ledger } = ledgerOf();
    const row = ledger.record(result(), output(), 'watch');
    expect(row).toEqual({
      ...output(),
      id: 1,
      sha256: result().sha256,
      nextSha256: null,
      state: 'done',
      reason: null,
      restoredAt: null,
    });
    expect(ledger.find(FILE)).toEqual(row);
    expect((await pagesOf(store)).map((e) => [e.client, e.result])).toEqual([['watch', result()]]);
  });

  it('takes the same image of a file once, whoever asks', async () => {
    const { store, ledger } = ledgerOf();
    ledger.record(result(), output(), 'watch');
    expect(ledger.record(result(), output({ promptId: 'p2' }), 'watch')).toBeNull();
    expect(ledger.record(result({ sha256: 'ff' }), output({ promptId: 'p2' }), 'watch')).toMatchObject({
      id: 1,
    });
    expect(await pagesOf(store)).toHaveLength(2);
    expect(ledger.find(FILE)).toMatchObject({ promptId: 'p2', sha256: 'ff' });
  });

  it('takes an image that was gone once a run', async () => {
    const { store, ledger } = ledgerOf();
    const gone = result({ sha256: null, error: { code: 'IMAGE_GONE', message: 'gone' } });
    ledger.record(gone, output(), 'watch');
    expect(ledger.record(gone, output(), 'watch')).toBeNull();
    expect(ledger.record(gone, output({ promptId: 'p2' }), 'watch')).not.toBeNull();
    expect(await pagesOf(store)).toHaveLength(2);
  });

  it('keeps hosts, types and folders apart', () => {
    const { store, ledger } = ledgerOf();
    ledger.record(result(), output(), 'watch');
    expect(store.ledger('http://other:8188').find(FILE)).toBeUndefined();
    expect(ledger.find({ ...FILE, type: 'temp' })).toBeUndefined();
    expect(ledger.find({ ...FILE, subfolder: '' })).toBeUndefined();
    expect(ledger.find({ ...FILE, filename: 'CAT.png' })).toBeUndefined();
  });

  it('finds names that SQLite cannot hold as they are', () => {
    const { ledger } = ledgerOf();
    const odd = { ...FILE, filename: 'a\0\ud800.png' };
    ledger.record(result(), output(odd), 'watch');
    expect(ledger.find(odd)).toBeDefined();
  });

  it('remembers when watching began, each host its own', () => {
    let now = 5;
    const { store } = openedStore(tempFolder(), { now: () => now });
    expect(store.ledger(URL_A).begin()).toBe(5);
    now = 9;
    expect([store.ledger(URL_A).begin(), store.ledger('http://other').begin()]).toEqual([5, 9]);
  });

  it('tells what is to be done until it is settled, page by page', () => {
    const { ledger } = ledgerOf();
    const rows = ['a', 'b', 'c'].map((name) =>
      ledger.record(result({ sha256: name }), output({ filename: `${name}.png`, action: 'move' }), 'watch'),
    );
    const ids = (after: number, limit: number) => ledger.pending(after, limit).map((p) => p.output.id);
    expect([ids(0, 2), ids(2, 2)]).toEqual([[1, 2], [3]]);
    expect(ledger.pending(0, 1)[0]!.result).toEqual(result({ sha256: 'a' }));
    ledger.expect(2, 'tagged');
    expect(ledger.find(rows[1]!)).toMatchObject({ sha256: 'b', nextSha256: 'tagged', state: 'pending' });
    ledger.settle(2, { state: 'done', reason: null, sha256: 'tagged' });
    expect(ledger.find(rows[1]!)).toMatchObject({ sha256: 'tagged', nextSha256: null, state: 'done' });
    ledger.settle(1, { state: 'failed', reason: 'it is gone', sha256: 'a' });
    expect([ids(0, 9), ledger.find(rows[0]!)!.reason]).toEqual([[3], 'it is gone']);
  });

  it('leaves a file that was restored alone, unless another image has its name', () => {
    const { ledger } = ledgerOf();
    ledger.record(result({ sha256: 'a' }), output({ action: 'move' }), 'watch');
    ledger.restored(FILE, 'b');
    expect(ledger.find(FILE)).toMatchObject({ action: 'move', state: 'pending' });
    ledger.restored(FILE, 'a');
    expect(ledger.find(FILE)).toMatchObject({ action: 'keep', state: 'done', sha256: 'a' });
    ledger.restored({ ...FILE, filename: 'new.png' }, 'a');
    expect(ledger.find({ ...FILE, filename: 'new.png' })).toMatchObject({ action: 'keep', state: 'done' });
  });

  it('refuses a verdict that does not fit, and goes on', () => {
    const { store, ledger } = ledgerOf();
    const unfit = result({ width: 1.5 });
    expect(() => ledger.record(unfit, output(), 'watch')).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
    expect(ledger.find(FILE)).toBeUndefined();
    ledger.record(result(), output(), 'watch');
    expect(store.status()).toMatchObject({ state: 'ok' });
  });

  it('throws while there is no history', () => {
    const { store, ledger } = ledgerOf();
    store.close();
    const unavailable = expect.objectContaining({ code: 'STORE_UNAVAILABLE' });
    expect(() => ledger.find(FILE)).toThrow(unavailable);
    expect(() => ledger.record(result(), output(), 'watch')).toThrow(unavailable);
    expect(() => disabledStore('it is off').ledger(URL_A).begin()).toThrow(unavailable);
  });

  it.skipIf(!process.features.typescript)('is complete when the process dies right after', async () => {
    const folder = tempFolder();
    const module = JSON.stringify(new URL('../../src/store/store.ts', import.meta.url).href);
    const script = `
      const { openStore } = await import(${module});
      const store = openStore({ dataDir: process.argv[1], log: console });
      store.ledger(process.argv[2]).record(JSON.parse(process.argv[3]), JSON.parse(process.argv[4]), 'watch');
      process.kill(process.pid, 'SIGKILL');`;
    const args = [folder, URL_A, JSON.stringify(result()), JSON.stringify(output())];
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script, ...args]);
    expect(signal).toBe('SIGKILL');
    const { store } = openedStore(folder);
    expect([(await pagesOf(store)).length, store.ledger(URL_A).find(FILE)?.sha256]).toEqual([
      1,
      result().sha256,
    ]);
  });
});
