/**
 * Makes sure that one process alone does a thing: a file with a lock that the system takes back when the process ends,
 * however it ends. Others can read who has it.
 */
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { createFolder } from '../folder.ts';
import { type Database, openDatabase } from './db.ts';
import { type Fault, faultOf } from './faults.ts';

export interface Holder {
  pid: number;
  machine: string;
  /** Unix milliseconds. */
  since: number;
}

const TABLE = 'CREATE TABLE IF NOT EXISTS holder (pid INTEGER, machine TEXT, since INTEGER) STRICT';

/** What lets go of it; or who has it, null when that is not written down yet; or why the file cannot be used. */
export type Hold = { release(): void } | { holder: Holder | null } | { fault: Fault; cause: unknown };

/** @throws STORE_UNAVAILABLE when the file cannot be used */
export function takeHold(path: string): Exclude<Hold, { fault: Fault }> {
  const hold = tryHold(path);
  if ('fault' in hold) throw fail('STORE_UNAVAILABLE', { reason: hold.fault.reason }, { cause: hold.cause });
  return hold;
}

/** @param temporary whether whoever lets go takes the file away */
export function tryHold(path: string, { temporary = false } = {}): Hold {
  let db: Database | undefined;
  try {
    createFolder(dirname(path), 0o700);
    db = openDatabase(path);
    db.exec(TABLE);
    const mine = sign(db);
    // It writes nothing: the lock itself keeps other writers out, and lets readers in.
    db.exec('BEGIN IMMEDIATE');
    const held = db;
    if (temporary && !isSignedBy(path, mine)) {
      held.close(); // whoever had it took the file away since it was opened, so the lock keeps nobody out
      return tryHold(path, { temporary });
    }
    return { release: () => letGo(held, temporary ? path : undefined) };
  } catch (cause) {
    const fault = faultOf(cause, path);
    const holder = db && fault.kind === 'locked' ? readHolder(db) : null;
    db?.close();
    return fault.kind === 'locked' ? { holder } : { fault, cause };
  }
}

/** The file goes first: gone after the lock, it could be one that another process holds by then. */
function letGo(db: Database, path: string | undefined): void {
  try {
    if (path !== undefined) rmSync(path, { force: true });
  } catch {
    // Windows keeps a file that is open; it is used again
  }
  db.close();
}

function sign(db: Database): Holder {
  const mine = { pid: process.pid, machine: hostname(), since: Date.now() };
  db.exec('BEGIN IMMEDIATE; DELETE FROM holder');
  db.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(mine.pid, mine.machine, mine.since);
  db.exec('COMMIT');
  return mine;
}

/** Whether the file that has that name now says so. */
function isSignedBy(path: string, mine: Holder): boolean {
  let db: Database | undefined;
  try {
    db = openDatabase(path, { readOnly: true });
    const found = readHolder(db);
    return (
      found !== null && found.pid === mine.pid && found.machine === mine.machine && found.since === mine.since
    );
  } catch {
    return false;
  } finally {
    db?.close();
  }
}

/** For people. */
export function holderWords(holder: Holder | null): string {
  if (holder === null) return 'another process';
  const since = new Date(holder.since).toISOString().slice(0, 19).replace('T', ' ');
  return `process ${holder.pid} on ${holder.machine} since ${since}`;
}

function readHolder(db: Database): Holder | null {
  try {
    return (db.prepare('SELECT * FROM holder').get() as Holder | undefined) ?? null;
  } catch {
    return null;
  }
}
