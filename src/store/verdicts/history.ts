/** Reads recorded verdicts, newest first, page by page. */
import { fail } from '../../errors/error.ts';
import type { HistoryEntry, HistoryPage, HistoryQuery } from '../../types/history.ts';
import type { Database } from '../file/db.ts';
import { cursorAfter } from './cursor.ts';
import { type Where, whereOf } from './filters.ts';
import { type AspectRow, entryOf, type VerdictRow } from './rows.ts';

const MAX_LIMIT = 500;

/** A query that was checked and is ready to run. */
export interface PageRequest {
  where: Where;
  limit: number;
}

/**
 * Checks a query without touching the database.
 *
 * @throws BAD_REQUEST for a limit out of 1..500 or a cursor that no page gave
 */
export function pageRequest(query: HistoryQuery): PageRequest {
  const { limit } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw fail('BAD_REQUEST', { reason: `limit is ${limit}; expected a whole number 1..${MAX_LIMIT}` });
  return { where: whereOf(query), limit };
}

/** Verdicts, to be joined with their stamps. */
const VERDICTS = `SELECT v.*, s.version, s.variant, s.weights, s.calibration
       FROM verdicts v`;
const STAMPS = 'LEFT JOIN stamps s ON s.id = v.stamp';

/** Verdicts of these row ids, by row id. */
export function readVerdicts(db: Database, ids: number[]): Map<number, HistoryEntry> {
  const rows = db
    .prepare(`${VERDICTS} ${STAMPS} WHERE v.id IN (SELECT value FROM json_each(?))`)
    .all(JSON.stringify(ids)) as unknown as VerdictRow[];
  return new Map(entriesOf(db, rows).map((entry) => [entry.rowId, entry]));
}

/** Rows of `verdicts` with their aspects. */
function entriesOf(db: Database, rows: VerdictRow[]): HistoryEntry[] {
  const aspects = readAspects(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => entryOf(row, aspects.get(row.id) ?? []));
}

/** Rows that are looked at before the clock is: some tens of milliseconds. */
const SLICE = 20_000;

/** Matches up to which collecting and sorting them beats walking the history from its newest row. */
const FEW = 2000;

/**
 * One page. The next one starts below its last row id, so rows that arrive meanwhile shift nothing.
 *
 * A search that finds little walks far: after `longestMs` it ends with what it has, and the next page goes on there.
 *
 * @throws what node:sqlite throws
 */
export function readPage(db: Database, { where, limit }: PageRequest, longestMs: number): HistoryPage {
  const index = narrowIndex(db, where);
  if (index !== undefined) {
    const rows = select(db, where, { index, from: 0, below: where.before ?? Number.MAX_SAFE_INTEGER }, limit);
    return pageOf(db, rows, limit, null);
  }
  const { rows, reached } = walk(db, { where, limit }, performance.now() + longestMs);
  return pageOf(db, rows, limit, reached);
}

/** Rows of the page and one more, which tells whether there is a next page. */
function pageOf(db: Database, found: VerdictRow[], limit: number, reached: number | null): HistoryPage {
  const rows = found.slice(0, limit);
  const next = found.length > limit ? rows.at(-1)!.id : reached;
  return { entries: entriesOf(db, rows), next: next === null ? null : cursorAfter(next) };
}

interface Stretch {
  index?: string;
  /** Row ids, the first inclusive, the second not. */
  from: number;
  below: number;
}

/** Matches in a stretch, newest first, up to one more than the limit. */
function select(db: Database, where: Where, { index, from, below }: Stretch, limit: number): VerdictRow[] {
  return db
    .prepare(
      `${VERDICTS} ${index ? `INDEXED BY ${index}` : ''} ${STAMPS}
       WHERE ${where.sql} AND v.id >= ? AND v.id < ? ORDER BY v.id DESC LIMIT ?`,
    )
    .all(...where.values, from, below, limit + 1) as unknown as VerdictRow[]; // the tables are STRICT
}

/** Walks from the newest row down. `reached`: the row where time ran out; null at the end. */
function walk(
  db: Database,
  { where, limit }: PageRequest,
  until: number,
): { rows: VerdictRow[]; reached: number | null } {
  const { least, most } = db
    .prepare('SELECT ifnull(min(id), 0) AS least, ifnull(max(id), -1) AS most FROM verdicts')
    .get() as { least: number; most: number };
  const rows: VerdictRow[] = [];
  let below = Math.min(where.before ?? Number.MAX_SAFE_INTEGER, most + 1);
  while (below > least) {
    const from = Math.max(below - SLICE, least);
    rows.push(...select(db, where, { from, below }, limit - rows.length));
    if (rows.length > limit) break;
    below = from;
    if (below > least && performance.now() > until) return { rows, reached: below };
  }
  return { rows, reached: null };
}

/**
 * The index of a range in which few rows lie: without statistics SQLite would walk the whole file for them. When many
 * match, walking the rows newest first is best.
 */
function narrowIndex(db: Database, { ranges }: Where): string | undefined {
  return ranges.find(({ sql, values }) => {
    const sample = db.prepare(
      `SELECT count(*) AS n FROM (SELECT 1 FROM verdicts v WHERE ${sql} LIMIT ${FEW})`,
    );
    return Number(sample.get(...values)!.n) < FEW;
  })?.index;
}

/** Rows of `aspects` by verdict. */
function readAspects(db: Database, ids: number[]): Map<number, AspectRow[]> {
  const rows = db
    .prepare('SELECT * FROM aspects WHERE verdict IN (SELECT value FROM json_each(?))')
    .all(JSON.stringify(ids)) as unknown as AspectRow[];
  return Map.groupBy(rows, (row) => row.verdict);
}
