/** Brings a database to the schema of this Assay. */
import { type Database, inTransaction } from './db.ts';
import { MIGRATIONS } from './migrations/index.ts';

/** The file was written by an Assay that knows more steps than this one. */
export class NewerDatabase extends Error {
  override name = 'NewerDatabase';
}

/** Steps done so far; 0 for an empty file. */
const versionOf = (db: Database): number => Number(db.prepare('PRAGMA user_version').get()!.user_version);

/** Checked within the transaction: another process may have taken the step while this one waited for the lock. */
function takeStep(db: Database, sql: string, version: number): void {
  inTransaction(db, () => {
    if (versionOf(db) >= version) return;
    db.exec(sql);
    db.exec(`PRAGMA user_version = ${version}`);
  });
}

/**
 * Takes the steps a database lacks, each in a transaction of its own, and sets it to write-ahead logging.
 *
 * @throws NewerDatabase, before anything is written; what node:sqlite throws
 */
export function migrate(db: Database): void {
  const found = versionOf(db);
  if (found > MIGRATIONS.length)
    throw new NewerDatabase(`its schema is version ${found}, this Assay knows ${MIGRATIONS.length}`);
  // Only a file without tables takes it: what retention frees can then be given back in small steps.
  if (found === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  // NORMAL: a power cut may cost the last verdicts, never the file, and a commit waits for no disk.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  for (const [i, sql] of MIGRATIONS.entries()) if (i >= found) takeStep(db, sql, i + 1);
}
