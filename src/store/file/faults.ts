/** What can be wrong with the history's file, told from the errors of SQLite and the file system. */
import { reasonOf } from '../../errors/error.ts';
import { NewerDatabase } from './migrate.ts';

export type FaultKind = 'full' | 'locked' | 'corrupt' | 'read-only' | 'newer' | 'unfit' | 'other';

export interface Fault {
  kind: FaultKind;
  /** For people: names the file and what is wrong with it. */
  reason: string;
}

/** Result codes, primary ones unless said otherwise: https://sqlite.org/rescode.html */
const KIND_OF_RESULT: Record<number, FaultKind> = {
  3: 'read-only', // PERM
  5: 'locked', // BUSY
  6: 'locked', // LOCKED
  8: 'read-only', // READONLY
  11: 'corrupt', // CORRUPT
  13: 'full', // FULL
  15: 'locked', // PROTOCOL
  26: 'corrupt', // NOTADB
  4874: 'full', // IOERR_SHMSIZE, extended: no room for the file that the processes share
  2058: 'unfit', // IOERR_UNLOCK, extended like the following
  3594: 'unfit', // IOERR_CHECKRESERVEDLOCK
  3850: 'unfit', // IOERR_LOCK
  2314: 'unfit', // IOERR_RDLOCK
  4618: 'unfit', // IOERR_SHMOPEN
  5130: 'unfit', // IOERR_SHMLOCK
  5386: 'unfit', // IOERR_SHMMAP
};

const KIND_OF_ERRNO: Record<string, FaultKind> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EACCES: 'read-only',
  EPERM: 'read-only',
};

/** TOOBIG, CONSTRAINT, MISMATCH: the row does not fit the table; the file is fine. */
const ROW_RESULTS = new Set([18, 19, 20]);

const TEXT: Record<FaultKind, (path: string, detail: string) => string> = {
  full: (path) => `no space left on the disk of ${path}`,
  locked: (path) => `another program holds a lock on ${path}`,
  corrupt: (path, detail) => `${path} is damaged (${detail})`,
  'read-only': (path, detail) => `${path} or its folder cannot be written (${detail})`,
  newer: (path, detail) =>
    `${path} comes from a newer Assay and was left untouched (${detail}); update Assay`,
  unfit: (path) =>
    `the disk of ${path} has no locks or shared memory, as network mounts may lack; put dataDir on a disk of this machine`,
  other: (path, detail) => `${path} cannot be used (${detail})`,
};

/** Extended result code of a node:sqlite error. */
function resultOf(error: unknown): number | undefined {
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  return typeof errcode === 'number' ? errcode : undefined;
}

/** An extended code carries the primary one in its low byte. */
const primary = (result: number): number => result & 0xff;

function kindOf(error: unknown): FaultKind {
  if (error instanceof NewerDatabase) return 'newer';
  const result = resultOf(error);
  if (result !== undefined) return KIND_OF_RESULT[result] ?? KIND_OF_RESULT[primary(result)] ?? 'other';
  return KIND_OF_ERRNO[(error as NodeJS.ErrnoException | null)?.code ?? ''] ?? 'other';
}

/** What an error met while opening, reading or writing `path` means. */
export function faultOf(error: unknown, path: string): Fault {
  const kind = kindOf(error);
  return { kind, reason: TEXT[kind](path, reasonOf(error)) };
}

/** Whether an error met while inserting blames the row and not the file. */
export function blamesRow(error: unknown): boolean {
  const result = resultOf(error);
  return result === undefined ? error instanceof TypeError : ROW_RESULTS.has(primary(result));
}
