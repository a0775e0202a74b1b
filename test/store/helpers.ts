/** What the tests of the store share: folders, results, a log that is kept, waiting with a deadline. */
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { openDatabase } from '../../src/store/file/db.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts';
import { pageRequest, readPage } from '../../src/store/verdicts/history.ts';
import type { AspectScore } from '../../src/types/aspect.ts';
import type { HistoryEntry, HistoryQuery } from '../../src/types/history.ts';
import type { ScoreResult } from '../../src/types/result.ts';

export interface LogLine {
  level: number;
  msg: string;
  reason?: string;
  movedTo?: string;
}

/** The real logger, its lines kept. */
export function keptLog() {
  const lines: LogLine[] = [];
  return { lines, log: pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) }) };
}

const folders = new WeakMap<Store, string>();

/** A store that is closed when the test ends. */
export function openedStore(dataDir: string, options: Partial<StoreOptions> = {}) {
  const { lines, log } = keptLog();
  const store = openStore({ dataDir, log, ...options });
  folders.set(store, dataDir);
  onTestFinished(() => store.close());
  return { store, lines };
}

const aspect = (score: number): AspectScore => ({
  score,
  range: [0, 5],
  percentile: score / 5,
  interval: [score - 0.7, score + 0.9],
  coverage: 0.9,
});

/** A full result; `changes` replace its fields. */
export const result = (changes: Partial<ScoreResult> = {}): ScoreResult => ({
  id: 'a1',
  source: 'cat.png',
  sha256: 'c0ffee'.padEnd(64, '0'),
  width: 1024,
  height: 768,
  prompt: 'a cat on a mat',
  promptSource: { from: 'request', original: 'a (cat:1.2) on a mat', certain: true, reason: null },
  scorer: {
    id: 'assay-lite',
    version: '1.0.0',
    variant: 'int8',
    weights: 'sha256:aa',
    calibration: 'sha256:bb',
  },
  aspects: { quality: aspect(3.42), alignment: aspect(2.9), authenticity: null },
  reward: 0.63,
  guards: [],
  decision: 'accept',
  reasons: [],
  notes: ['cut'],
  timings: { decodeMs: 4.1, queueMs: 0.2, inferMs: 9.8, totalMs: 14.6 },
  error: null,
  ...changes,
});

/** An item that could not be scored. */
export const failedResult = (changes: Partial<ScoreResult> = {}): ScoreResult =>
  result({
    sha256: null,
    width: null,
    height: null,
    scorer: null,
    aspects: null,
    reward: null,
    decision: null,
    timings: null,
    error: { code: 'IMAGE_EMPTY', message: 'the image has no bytes' },
    ...changes,
  });

/** `count` results with ids n0, n1, … */
export const numbered = (count: number, from = 0): ScoreResult[] =>
  Array.from({ length: count }, (_, i) => result({ id: `n${from + i}` }));

type Filter = Omit<HistoryQuery, 'limit'> & { limit?: number };

/** Every page of a query. */
export async function pagesOf(store: Store, query: Filter = {}): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.history({ limit: 500, ...query, cursor });
    entries.push(...page.entries);
    cursor = page.next ?? undefined;
  } while (cursor);
  return entries;
}

/** What the file of a store holds now, up to 500 verdicts; what waits to be written is not among them. */
export function allPages(store: Store, query: Filter = {}): HistoryEntry[] {
  const db = openDatabase(join(folders.get(store)!, 'history.db'), { readOnly: true });
  try {
    return readPage(db, pageRequest({ limit: 500, ...query }), Number.POSITIVE_INFINITY).entries;
  } finally {
    db.close();
  }
}

export const idsOf = (entries: HistoryEntry[]): string[] => entries.map((entry) => entry.result.id);

/** Asks again and again until `check` holds. @throws after `deadlineMs`, naming `what` */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
