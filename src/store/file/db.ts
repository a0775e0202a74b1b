/** The door to SQLite: the only file that touches node:sqlite. */
import type { DatabaseSync } from 'node:sqlite';

export type Database = DatabaseSync;
type Sqlite = typeof import('node:sqlite');

/** Longest wait for another program's lock, in milliseconds. The event loop stands still meanwhile. */
const BUSY_TIMEOUT_MS = 200;

/** Loaded at first use, so that commands without a history do not pay for it. */
function loadSqlite(): Sqlite {
  const emit = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    // Node 22 announces SQLite as experimental in the middle of our output; all else passes.
    if (!String(warning).startsWith('SQLite is an experimental feature'))
      emit.call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    const sqlite: Sqlite | undefined = process.getBuiltinModule('node:sqlite');
    if (!sqlite) throw new Error('this build of Node has no node:sqlite');
    return sqlite;
  } finally {
    process.emitWarning = emit;
  }
}

/**
 * Opens a database file. SQLite reads it only at the first statement, so damage shows there, not here.
 *
 * @throws what node:sqlite throws; `faultOf` tells what it means
 */
export function openDatabase(path: string, { readOnly = false } = {}): Database {
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(path, { readOnly });
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA foreign_keys = ON`);
  // SQLite's own lower() and LIKE fold ASCII alone.
  db.function('fold', { deterministic: true }, (text) =>
    typeof text === 'string' ? text.toLowerCase() : null,
  );
  return db;
}

/** Runs `work` in one write transaction, rolled back when it throws. The lock is taken at once. */
export function inTransaction<T>(db: Database, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

function rollBack(db: Database): void {
  try {
    db.exec('ROLLBACK');
  } catch {
    // SQLite ends the transaction itself after some faults, such as a full disk.
  }
}
