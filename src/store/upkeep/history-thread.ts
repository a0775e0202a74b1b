/** A thread that searches the history, or trims it: both may take long, and SQLite stops its thread meanwhile. */
import { parentPort } from 'node:worker_threads';
import { reasonOf } from '../../errors/error.ts';
import type { HistoryPage } from '../../types/history.ts';
import { type Database, openDatabase } from '../file/db.ts';
import { type PageRequest, readPage } from '../verdicts/history.ts';
import { type Retention, type Trimmed, trim } from './retention.ts';

export type HistoryTask =
  | { type: 'page'; path: string; request: PageRequest; longestMs: number }
  | { type: 'trim'; path: string; retention: Retention; now: number };

export type HistoryReply = { result: HistoryPage | Trimmed } | { error: SqliteError };

/** Of an error, what tells its meaning; errors lose their fields on the way to another thread. */
export interface SqliteError {
  message: string;
  code?: string;
  errcode?: number;
}

function work(db: Database, task: HistoryTask): HistoryPage | Trimmed {
  if (task.type === 'trim') return trim(db, task.retention, task.now);
  return readPage(db, task.request, task.longestMs);
}

/** Opened each time: the file may have been moved or replaced since. */
function run(task: HistoryTask): HistoryPage | Trimmed {
  const db = openDatabase(task.path, { readOnly: task.type === 'page' });
  try {
    return work(db, task);
  } finally {
    db.close();
  }
}

parentPort!.on('message', (task: HistoryTask) => {
  let reply: HistoryReply;
  try {
    reply = { result: run(task) };
  } catch (error) {
    const { code, errcode } = error as SqliteError;
    reply = { error: { message: reasonOf(error), ...(code && { code }), ...(errcode && { errcode }) } };
  }
  parentPort!.postMessage(reply);
});
