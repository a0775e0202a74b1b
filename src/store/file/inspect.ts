/** A look at a history from outside, which changes nothing. */
import { existsSync, statSync } from 'node:fs';
import { openDatabase } from './db.ts';
import { type Fault, faultOf } from './faults.ts';
import { NewerDatabase } from './migrate.ts';
import { MIGRATIONS } from './migrations/index.ts';

export type Look = { verdicts: number; bytes: number } | { fault: Fault } | undefined;

/** How much a history holds, or what is wrong with it; undefined when there is none yet. */
export function lookAt(path: string): Look {
  if (!existsSync(path)) return undefined;
  try {
    const bytes = [path, `${path}-wal`].reduce(
      (sum, file) => sum + (existsSync(file) ? statSync(file).size : 0),
      0,
    );
    return { bytes, verdicts: count(path) };
  } catch (error) {
    return { fault: faultOf(error, path) };
  }
}

function count(path: string): number {
  const db = openDatabase(path, { readOnly: true });
  try {
    const version = Number(db.prepare('PRAGMA user_version').get()!.user_version);
    if (version > MIGRATIONS.length) throw new NewerDatabase(`its schema is version ${version}`);
    return version === 0 ? 0 : Number(db.prepare('SELECT count(*) AS n FROM verdicts').get()!.n);
  } finally {
    db.close();
  }
}
