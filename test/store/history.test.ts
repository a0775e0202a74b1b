import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/store.ts';
import type { HistoryQuery } from '../../src/types/history.ts';
import { tempFolder } from '../support/files.ts';
import { failedResult, idsOf, keptLog, numbered, openedStore, pagesOf, result } from './helpers.ts';

const other = { ...result().scorer!, id: 'other' };

/** Six verdicts, a second apart from 1000 on, in a store that all the filters share. */
function sample() {
  let at = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'assay-'));
  const store = openStore({ dataDir, log: keptLog().log, now: () => (at += 1000) });
  afterAll(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true });
  });
  const verdicts = [
    result({ id: 'a', reward: 0.1, decision: 'reject', prompt: 'A red FOX' }),
    result({ id: 'b', reward: 0.5, prompt: '100% wool_coat \\ cut', scorer: other }),
    result({ id: 'c', reward: 0.9, prompt: 'ÜBER den Wolken', sha256: 'f00d'.padEnd(64, '0') }),
    failedResult({ id: 'd', prompt: null }),
    result({
      id: 'e',
      reward: null,
      decision: 'unsure',
      prompt: '1000 wools',
      scorer: { ...other, version: '2.0.0' },
    }),
    failedResult({ id: 'f', prompt: 'a red hen', sha256: 'f00d'.padEnd(64, '0') }),
  ];
  store.record(verdicts, 'c');
  return store;
}

const FILTERS: [string, Partial<HistoryQuery>, string][] = [
  ['nothing', {}, 'fedcba'],
  ['a scorer, all its versions', { scorer: 'other' }, 'eb'],
  ['a scorer without verdicts', { scorer: 'nobody' }, ''],
  ['a decision', { decision: 'reject' }, 'a'],
  ['another decision', { decision: 'unsure' }, 'e'],
  ['a digest', { sha256: 'f00d'.padEnd(64, '0') }, 'fc'],
  ['the least reward, inclusive', { minReward: 0.5 }, 'cb'],
  ['the greatest reward, inclusive', { maxReward: 0.5 }, 'ba'],
  ['a range of rewards', { minReward: 0.2, maxReward: 0.8 }, 'b'],
  ['since, inclusive', { since: 4000 }, 'fed'],
  ['until, exclusive', { until: 4000 }, 'cba'],
  ['a span of time', { since: 2000, until: 3000 }, 'b'],
  ['failures', { failed: true }, 'fd'],
  ['no failures', { failed: false }, 'ecba'],
  ['a word of the prompt in another case', { prompt: 'RED' }, 'fa'],
  ['a word beyond ASCII in another case', { prompt: 'über' }, 'c'],
  ['a word beyond ASCII that is not there', { prompt: 'ö' }, ''],
  ['a percent sign', { prompt: '0%' }, 'b'],
  ['an underscore', { prompt: 'wool_' }, 'b'],
  ['a backslash', { prompt: '\\' }, 'b'],
  ['an empty word', { prompt: '' }, 'fedcba'],
  ['a word longer than SQLite takes patterns', { prompt: 'x'.repeat(200_000) }, ''],
  [
    'all at once',
    {
      scorer: 'other',
      decision: 'accept',
      prompt: 'WOOL',
      since: 1,
      until: 9999,
      minReward: 0,
      maxReward: 1,
      failed: false,
    },
    'b',
  ],
  ['undefined fields', { scorer: undefined, failed: undefined, cursor: undefined }, 'fedcba'],
];

describe('the history', () => {
  const store = sample();

  it.each(FILTERS)('filters by %s', async (_, query, ids) => {
    expect(idsOf(await pagesOf(store, query)).join('')).toBe(ids);
    expect(idsOf(await pagesOf(store, { ...query, limit: 1 })).join('')).toBe(ids);
  });

  it('finds the few among the many', async () => {
    let at = 0;
    const { store } = openedStore(tempFolder(), { now: () => ++at });
    const results = numbered(5000).map((r, i) => ({ ...r, reward: i / 5000 }));
    store.record(results, 'c');
    expect(idsOf(await pagesOf(store, { minReward: 0.4, maxReward: 0.4004 }))).toEqual([
      'n2002',
      'n2001',
      'n2000',
    ]);
    expect(idsOf(await pagesOf(store, { until: 3 }))).toEqual(['n1', 'n0']);
    expect(idsOf((await store.history({ since: 10, minReward: 0.1, limit: 2 })).entries)).toEqual([
      'n4999',
      'n4998',
    ]);
  });

  it('sees what was recorded just before', async () => {
    const { store } = openedStore(tempFolder());
    for (let i = 0; i < 20; i++) {
      store.record(numbered(1, i), 'c');
      expect((await store.history({ limit: 1 })).entries[0]!.result.id).toBe(`n${i}`);
    }
  });

  it('is empty at first', async () => {
    expect(await openedStore(tempFolder()).store.history({ limit: 5 })).toEqual({ entries: [], next: null });
  });
});

describe('paging', () => {
  it('passes 1,000 rows without gap or repeat while new ones arrive', async () => {
    const { store } = openedStore(tempFolder());
    store.record(numbered(1000), 'c');
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.history({ limit: 37, cursor });
      seen.push(...idsOf(page.entries));
      cursor = page.next ?? undefined;
      store.record(numbered(5, 1000 + seen.length * 5), 'late');
    } while (cursor);
    expect(seen).toEqual(
      numbered(1000)
        .map((r) => r.id)
        .reverse(),
    );
  });

  it('ends with null, also when the last page is full', async () => {
    const { store } = openedStore(tempFolder());
    store.record(numbered(4), 'c');
    const first = await store.history({ limit: 2 });
    const second = await store.history({ limit: 2, cursor: first.next! });
    expect(idsOf(second.entries)).toEqual(['n1', 'n0']);
    expect(second.next).toBeNull();
  });

  it('goes on with the same filter', async () => {
    const { store } = openedStore(tempFolder());
    store.record(
      numbered(100).map((r, i) => ({ ...r, decision: i % 2 ? ('accept' as const) : ('reject' as const) })),
      'c',
    );
    const ids = idsOf(await pagesOf(store, { decision: 'reject', limit: 7 }));
    expect(ids).toHaveLength(50);
    expect(new Set(ids).size).toBe(50);
  });

  const WRONG: [string, Partial<HistoryQuery>][] = [
    ['a made-up cursor', { cursor: 'nonsense' }],
    ['an empty cursor', { cursor: '' }],
    ['a cursor with a tail', { cursor: `${Buffer.from('before:5').toString('base64url')}!` }],
    ['a cursor of another number', { cursor: Buffer.from('before:1e3').toString('base64url') }],
    ['a cursor with SQL in it', { cursor: Buffer.from('before:1 OR 1').toString('base64url') }],
    ['no rows a page', { limit: 0 }],
    ['too many rows a page', { limit: 501 }],
    ['half a row', { limit: 1.5 }],
  ];

  it.each(WRONG)('refuses %s and stays well', async (_, query) => {
    const { store, lines } = openedStore(tempFolder());
    store.record(numbered(1), 'c');
    await expect(store.history({ limit: 5, ...query })).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
    expect(await pagesOf(store)).toHaveLength(1);
    expect(lines).toEqual([]);
  });
});
