import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { disabledStore } from '../../src/store/disabled.ts';
import type { ScoreResult } from '../../src/types/result.ts';
import { tempFolder } from '../support/files.ts';
import { failedResult, idsOf, numbered, openedStore, pagesOf, result, until } from './helpers.ts';

describe('a recorded result', () => {
  const cases: [string, ScoreResult][] = [
    ['with every field', result()],
    ['of a failed item', failedResult()],
    ['of a failed item whose scorer and size are known', failedResult({ scorer: result().scorer, width: 3 })],
    ['without source and prompt', result({ source: null, prompt: null })],
    ['with empty texts', result({ id: '', source: '', prompt: '' })],
    [
      'in many scripts',
      result({ prompt: 'ein Käfer 猫 👩‍🚀 עברית\u202e "\'\\%_\n\t;--', source: 'ünï/猫.png', id: '😀' }),
    ],
    [
      'with figures that need all digits',
      result({
        reward: 0.1 + 0.2,
        timings: { decodeMs: 1 / 3, queueMs: 0, inferMs: 1e-300, totalMs: 2 ** 53 },
      }),
    ],
    [
      'with a tripped guard',
      result({
        reward: null,
        decision: 'reject',
        guards: [
          { guard: 'blank', message: 'standard deviation 0.1' },
          { guard: 'out-of-domain', message: 'é' },
        ],
        reasons: ['guard: blank', 'reward is null'],
      }),
    ],
    ['with no aspect scored', result({ aspects: { quality: null, alignment: null, authenticity: null } })],
    [
      'with a whole score',
      result({
        aspects: {
          quality: { score: 3, range: [1, 5], percentile: 1, interval: [-0.5, 5], coverage: 0.95 },
          alignment: null,
          authenticity: null,
        },
      }),
    ],
  ];

  it.each(cases)('comes back the same: %s', async (_, given) => {
    const { store } = openedStore(tempFolder(), { now: () => 1_700_000_000_123 });
    store.record([given], 'client ü');
    const entries = [{ rowId: 1, at: 1_700_000_000_123, client: 'client ü', result: given }];
    expect(await store.history({ limit: 10 })).toStrictEqual({ entries, next: null });
  });

  it('is read back by a store opened later', async () => {
    const folder = tempFolder();
    const { store } = openedStore(folder);
    store.record([result(), failedResult()], 'c');
    store.close();
    const later = openedStore(folder).store;
    expect((await pagesOf(later)).map((entry) => entry.result)).toStrictEqual([failedResult(), result()]);
  });

  it('keeps U+FFFD where the text has what SQLite cannot hold', async () => {
    const { store } = openedStore(tempFolder());
    store.record([result({ prompt: 'a\0b\ud800' })], 'c');
    expect((await store.history({ limit: 1 })).entries[0]!.result.prompt).toBe('a\ufffdb\ufffd');
  });

  it('that does not fit is dropped and counted, its neighbours are kept', async () => {
    const { store, lines } = openedStore(tempFolder());
    const unfit = [
      result({ id: 'bad width', width: 1.5 }),
      result({ id: 'bad decision', decision: 'perhaps' as never }),
      result({
        id: 'no score',
        aspects: {
          quality: { ...result().aspects!.quality!, score: Number.NaN },
          alignment: null,
          authenticity: null,
        },
      }),
      {} as ScoreResult,
    ];
    store.record([result({ id: 'before' }), ...unfit, result({ id: 'after' })], 'c');
    expect(idsOf(await pagesOf(store))).toEqual(['after', 'before']);
    expect(store.status()).toMatchObject({ state: 'ok', recorded: 2, dropped: 4 });
    expect(lines).toHaveLength(1);
  });
});

describe('recording', () => {
  it('writes by itself, soon', async () => {
    const { store } = openedStore(tempFolder());
    store.record(numbered(300), 'c');
    expect(store.status().recorded).toBe(0);
    await until('300 rows', () => store.status().recorded === 300);
  });

  it('writes what waits when it is closed, and only once', async () => {
    const folder = tempFolder();
    const { store } = openedStore(folder);
    store.record(numbered(1000), 'c');
    store.close();
    store.close();
    expect(store.status()).toEqual({ state: 'off', reason: 'it is closed', recorded: 1000, dropped: 0 });
    expect(await pagesOf(openedStore(folder).store)).toHaveLength(1000);
  });

  it.skipIf(!process.features.typescript)('survives the death of the process', async () => {
    const folder = tempFolder();
    const store = JSON.stringify(new URL('../../src/store/store.ts', import.meta.url).href);
    const script = `
      const { openStore } = await import(${store});
      const store = openStore({ dataDir: process.argv[2], log: console });
      store.record(JSON.parse(process.argv[3]), 'c');
      await store.history({ limit: 1 });
      process.kill(process.pid, 'SIGKILL');`;
    const file = join(tempFolder(), 'script.mjs');
    writeFileSync(file, script);
    const args = [file, folder, JSON.stringify(numbered(100))];
    const { signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000 });
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    expect(idsOf(await pagesOf(openedStore(folder).store)).reverse()).toEqual(numbered(100).map((r) => r.id));
  });

  it('counts what comes after it was closed', async () => {
    const { store } = openedStore(tempFolder());
    store.close();
    store.record(numbered(3), 'c');
    expect(store.status().dropped).toBe(3);
    await expect(store.history({ limit: 1 })).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
    );
  });

  it('takes 10,000 results in less than 2 s of the processor', async () => {
    const results = numbered(10_000);
    const { store } = openedStore(tempFolder());
    const before = process.cpuUsage();
    for (let i = 0; i < results.length; i += 100) store.record(results.slice(i, i + 100), 'c');
    await until('10,000 rows', () => store.status().recorded === 10_000, 30_000);
    const { user, system } = process.cpuUsage(before);
    expect(store.status().dropped).toBe(0);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  it('takes what two stores write into one file', async () => {
    const folder = tempFolder();
    const [one, two] = [openedStore(folder).store, openedStore(folder).store];
    one.record([result({ id: 'one' })], 'c');
    expect(idsOf(await pagesOf(one))).toEqual(['one']);
    two.record([result({ id: 'two' })], 'c');
    expect(idsOf(await pagesOf(two))).toEqual(['two', 'one']);
    expect(idsOf(await pagesOf(one))).toEqual(['two', 'one']);
  });
});

describe('the file', () => {
  it('lies in a folder that is made when absent, and is the user’s own', () => {
    const folder = join(tempFolder(), 'deep', 'down');
    openedStore(folder);
    if (process.platform === 'win32') return;
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'history.db')).mode & 0o777).toBe(0o600);
  });

  it.skipIf(!process.features.typescript)(
    'is opened without a word on stderr, and no timer holds the process',
    () => {
      const store = JSON.stringify(new URL('../../src/store/store.ts', import.meta.url).href);
      const script = `
      const { openStore } = await import(${store});
      const log = { info() {}, warn() {}, error() {} };
      openStore({ dataDir: process.argv[1], log }).close();
      openStore({ dataDir: process.execPath, log });
      process.emitWarning('mine');`;
      const args = ['--input-type=module', '-e', script, tempFolder()];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000 });
      expect(status).toBe(0);
      expect(stderr).toMatch(/^\(node:\d+\) Warning: mine\n[^\n]*\n$/);
    },
  );
});

it('a store that is off takes nothing and says why', async () => {
  const store = disabledStore('history is false in the config');
  store.record(numbered(3), 'c');
  expect(store.status()).toEqual({
    state: 'off',
    reason: 'history is false in the config',
    recorded: 0,
    dropped: 0,
  });
  await expect(store.history({ limit: 1 })).rejects.toThrow(
    'the history is not available: history is false in the config',
  );
  store.close();
});
