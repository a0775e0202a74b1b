/** The open history file: opened when first used, dropped after a fault, opened anew at the next use. */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createFolder } from '../../lib/folder.ts';
import { createWriter, type Writer } from '../verdicts/writer.ts';
import { type Database, inTransaction, openDatabase } from './db.ts';
import { migrate } from './migrate.ts';
import { moveAside } from './move-aside.ts';

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
  /** Closes the file, so that it can be moved, deleted or freed. Never throws. */
  drop(): void;
  /**
   * Moves the damaged file out of the way and drops it.
   *
   * @param at Unix milliseconds, for its new name
   * @returns its new path; undefined when another process has moved it already
   * @throws what the file system throws
   */
  setAside(at: number): string | undefined;
}

/** Names the file on its disk; undefined when it is gone. */
const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** Prompts are private: folder and file are the user's own. An existing file keeps its mode. */
function createFile(path: string): void {
  const folder = dirname(path);
  createFolder(folder, 0o700);
  // Only when it is absent: closing a second descriptor of an open database would drop SQLite's locks.
  if (inodeOf(path) === undefined) closeSync(openSync(path, 'a', 0o600));
  // SQLite says no more than "unable to open" of a disk that is read-only.
  for (const place of [folder, path]) accessSync(place, constants.W_OK);
}

/** @param path the database file; its folder is created when absent */
export function createConnection(path: string): Connection {
  let db: Database | undefined;
  let inode: number | undefined;
  let opened: Opened | undefined;

  function open(): Opened {
    createFile(path);
    db = openDatabase(path);
    inode = inodeOf(path);
    migrate(db);
    inTransaction(db, () => {}); // shows a locked file now and not at the first verdict
    return { db, writer: createWriter(db) };
  }

  function drop(): void {
    try {
      db?.close();
    } catch {
      // The handle is given up either way; the fault that led here is the one to tell.
    }
    db = undefined;
    opened = undefined;
  }

  return {
    use() {
      // Someone may delete or replace the file under us; writing on into the old one would lose the rows.
      if (opened && inode !== inodeOf(path)) drop();
      opened ??= open();
      return opened;
    },
    drop,
    setAside(at) {
      // Closing deletes the -wal, unless it has gone from its place before. Windows moves no open file.
      if (process.platform === 'win32') drop();
      try {
        return inode === inodeOf(path) ? moveAside(path, at) : undefined;
      } finally {
        drop();
      }
    },
  };
}
