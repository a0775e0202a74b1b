/**
 * Makes sure that one process alone does a thing: a file with a lock that the system takes back when the process ends,
 * however it ends. Others can read who has it.
 */
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { fail } from '../../errors/error.ts';
import { createFolder } from '../../lib/folder.ts';
import { type Database, openDatabase } from './db.ts';
import { faultOf } from './faults.ts';

export interface Holder {
  pid: number;
  machine: string;
  /** Unix milliseconds. */
  since: number;
}

const TABLE = 'CREATE TABLE IF NOT EXISTS holder (pid INTEGER, machine TEXT, since INTEGER) STRICT';

/**
 * @returns what lets go of it, or who has it; null when that is not written down yet
 * @throws STORE_UNAVAILABLE when the file cannot be used
 */
export function takeHold(path: string): { release(): void } | { holder: Holder | null } {
  let db: Database | undefined;
  try {
    createFolder(dirname(path), 0o700);
    db = openDatabase(path);
    db.exec(TABLE);
    sign(db);
    // It writes nothing: the lock itself keeps other writers out, and lets readers in.
    db.exec('BEGIN IMMEDIATE');
    const held = db;
    return { release: () => held.close() };
  } catch (cause) {
    const fault = faultOf(cause, path);
    const holder = db && fault.kind === 'locked' ? readHolder(db) : null;
    db?.close();
    if (fault.kind === 'locked') return { holder };
    throw fail('STORE_UNAVAILABLE', { reason: fault.reason }, { cause });
  }
}

function sign(db: Database): void {
  db.exec('BEGIN IMMEDIATE; DELETE FROM holder');
  db.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(process.pid, hostname(), Date.now());
  db.exec('COMMIT');
}

function readHolder(db: Database): Holder | null {
  try {
    return (db.prepare('SELECT * FROM holder').get() as Holder | undefined) ?? null;
  } catch {
    return null;
  }
}
