/** Deletes the oldest verdicts, and gives their space back. Runs beside the main thread, in slices. */
import { type Database, inTransaction } from '../file/db.ts';

export interface Retention {
  /** Verdicts older than this are deleted, in milliseconds. */
  maxAgeMs?: number | undefined;
  /** Size of the history beyond which the oldest verdicts are deleted. */
  maxBytes?: number | undefined;
}

export interface Trimmed {
  deleted: number;
  /** Whether there is more to do. */
  more: boolean;
}

/** Verdicts a transaction. */
const BATCH = 50;
/** Pages a transaction: 1 MB. */
const PAGES = 256;
/** What `PRAGMA auto_vacuum` says of a file that can be cut. */
const INCREMENTAL = 2;
/** A file of an older version is rewritten, so that it can be cut, when what is left in it takes no more than seconds. */
const QUICK_BYTES = 256e6;
/** How long a slice takes: other processes that record wait meanwhile. */
const SLICE_MS = 25;

const pragma = (db: Database, name: string): number =>
  Number(Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0]);

/** What the history fills; pages that wait to be used again do not count. */
const usedBytes = (db: Database): number =>
  (pragma(db, 'page_count') - pragma(db, 'freelist_count')) * pragma(db, 'page_size');

/** A verdict that an action on a file still needs stays. Other files are known without: their row keeps the hash. */
const SPARE = `NOT EXISTS (SELECT 1 FROM outputs o WHERE o.verdict = v.id AND o.state = 'pending')`;

/** Deletes a few verdicts that meet a condition, the oldest first. */
const deleteWhere = (db: Database, condition: string, ...values: number[]): number => {
  const few = `SELECT v.id FROM verdicts v WHERE ${condition} AND ${SPARE} LIMIT ${BATCH}`;
  return Number(db.prepare(`DELETE FROM verdicts WHERE id IN (${few})`).run(...values).changes);
};

/** Deletes a few verdicts that are too many; 0 when none is. */
function deleteSome(db: Database, { maxAgeMs, maxBytes }: Retention, now: number): number {
  return inTransaction(db, () => {
    const old = maxAgeMs === undefined ? 0 : deleteWhere(db, 'v.at < ?', now - maxAgeMs);
    if (old > 0 || maxBytes === undefined || usedBytes(db) <= maxBytes) return old;
    return deleteWhere(db, 'v.id > ?', 0); // walks by row id
  });
}

/** Gives free pages back to the disk, a few at a time; false when it has none, or the file cannot be cut. */
function giveBack(db: Database): boolean {
  if (pragma(db, 'freelist_count') === 0) return false;
  if (pragma(db, 'auto_vacuum') === INCREMENTAL) db.exec(`PRAGMA incremental_vacuum(${PAGES})`);
  else if (usedBytes(db) <= QUICK_BYTES) db.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM');
  else return false; // free pages are used again all the same
  return true;
}

/** Deletes and gives back for the time of a slice. */
function work(db: Database, retention: Retention, now: number): Trimmed {
  const until = performance.now() + SLICE_MS;
  let deleted = 0;
  while (performance.now() < until) {
    const count = deleteSome(db, retention, now);
    deleted += count;
    if (count === 0 && !giveBack(db)) return { deleted, more: false };
  }
  return { deleted, more: true };
}

/**
 * Does a slice of the work.
 *
 * @param now Unix milliseconds
 * @throws what node:sqlite throws
 */
export function trim(db: Database, retention: Retention, now: number): Trimmed {
  const trimmed = work(db, retention, now);
  // Else the next one to record would carry over what was written here, on the main thread. It also cuts the file.
  db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  return trimmed;
}
