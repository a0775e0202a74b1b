/** Reads recorded verdicts, newest first, page by page. */
import { fail } from '../errors.ts';
import type { HistoryEntry, HistoryPage, HistoryQuery } from '../types.ts';
import { cursorAfter } from './cursor.ts';
import type { Database } from './db.ts';
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

/**
 * One page. The next one starts below its last row id, so rows that arrive meanwhile shift nothing.
 *
 * @throws what node:sqlite throws
 */
export function readPage(db: Database, { where, limit }: PageRequest): HistoryPage {
  // One row more than asked for tells whether there is a next page.
  const found = db
    .prepare(
      `${VERDICTS} ${indexFor(db, where)} ${STAMPS}
       WHERE ${where.sql} ORDER BY v.id DESC LIMIT ?`,
    )
    .all(...where.values, limit + 1) as unknown as VerdictRow[]; // the tables are STRICT
  const rows = found.slice(0, limit);
  return {
    entries: entriesOf(db, rows),
    next: found.length > limit ? cursorAfter(rows.at(-1)!.id) : null,
  };
}

/** Matches up to which collecting and sorting them beats walking the history from its newest row. */
const FEW = 2000;

/**
 * Without statistics SQLite walks the rows newest first, which is best when many match. When few lie in a range
 * it would walk the whole file for them, so then the range's index is called for.
 */
function indexFor(db: Database, { ranges }: Where): string {
  const narrow = ranges.find(({ sql, values }) => {
    const sample = db.prepare(
      `SELECT count(*) AS n FROM (SELECT 1 FROM verdicts v WHERE ${sql} LIMIT ${FEW})`,
    );
    return Number(sample.get(...values)!.n) < FEW;
  });
  return narrow ? `INDEXED BY ${narrow.index}` : '';
}

/** Rows of `aspects` by verdict. */
function readAspects(db: Database, ids: number[]): Map<number, AspectRow[]> {
  const rows = db
    .prepare('SELECT * FROM aspects WHERE verdict IN (SELECT value FROM json_each(?))')
    .all(JSON.stringify(ids)) as unknown as AspectRow[];
  return Map.groupBy(rows, (row) => row.verdict);
}
