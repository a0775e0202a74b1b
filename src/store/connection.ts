/** The open history file: opened when first used, dropped after a fault, opened anew at the next use. */
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Database, inTransaction, openDatabase } from './db.ts';
import { migrate } from './migrate.ts';
import { createWriter, type Writer } from './writer.ts';

export interface Opened {
  db: Database;
  writer: Writer;
}

export interface Connection {
  /**
   * The open history, migrated and writable.
   *
   * @throws what node:sqlite and the file system throw
   */
  use(): Opened;
  /** Closes the file, so that it can be moved, deleted or freed. */
  drop(): void;
}

/** Names the file on its disk; undefined when it is gone. */
const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** Prompts are private: folder and file are the user's own. An existing file keeps its mode. */
function createFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Only when it is absent: closing a second descriptor of an open database would drop SQLite's locks.
  if (inodeOf(path) === undefined) closeSync(openSync(path, 'a', 0o600));
}

function open(path: string): Opened {
  createFile(path);
  const db = openDatabase(path);
  try {
    migrate(db);
    inTransaction(db, () => {}); // shows a read-only or locked file now and not at the first verdict
    return { db, writer: createWriter(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** @param path the database file; its folder is created when absent */
export function createConnection(path: string): Connection {
  let opened: (Opened & { inode: number | undefined }) | undefined;
  function drop(): void {
    const { db } = opened ?? {};
    opened = undefined;
    try {
      db?.close();
    } catch {
      // The handle is given up either way; the fault that led here is the one to tell.
    }
  }
  return {
    drop,
    use() {
      // Someone may delete or replace the file under us; writing on into the old one would lose the rows.
      if (opened && opened.inode !== inodeOf(path)) drop();
      opened ??= { ...open(path), inode: inodeOf(path) };
      return opened;
    },
  };
}
