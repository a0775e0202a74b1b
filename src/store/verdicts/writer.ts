/** Step 10: writes verdicts. */
import { reasonOf } from '../../errors/error.ts';
import type { ScorerStamp } from '../../types/scorer.ts';
import { type Database, inTransaction } from '../file/db.ts';
import { blamesRow } from '../file/faults.ts';
import type { Pending } from './queue.ts';
import { aspectRows, verdictColumns } from './rows.ts';

const VERDICT = [
  ...['at', 'client', 'item', 'source', 'sha256', 'width', 'height', 'prompt', 'scorer', 'stamp', 'reward'],
  ...[
    'decision',
    'guards',
    'reasons',
    'prompt_source',
    'notes',
    'decode_ms',
    'queue_ms',
    'infer_ms',
    'total_ms',
  ],
  ...['error_code', 'error_message', 'item_group', 'truncated', 'once'],
];
const ASPECT = [
  ...['verdict', 'aspect', 'score', 'range_low', 'range_high', 'percentile'],
  ...['interval_low', 'interval_high', 'coverage', 'raw', 'spread', 'distribution'],
];
const ONCE = 'ON CONFLICT (once) WHERE once IS NOT NULL DO NOTHING';
const STAMP = ['version', 'variant', 'weights', 'calibration'];

const insert = (table: string, columns: string[]): string =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((c) => `:${c}`).join(', ')})`;

export interface Writer {
  /**
   * Writes all verdicts in one transaction, except those that do not fit the tables.
   *
   * @returns why each verdict that was left out was left out
   * @throws what node:sqlite throws; then nothing was written
   */
  write(batch: Pending[]): string[];
  /**
   * Writes one verdict within the caller's transaction.
   *
   * @returns its row id
   * @throws what node:sqlite throws, also for a verdict that does not fit
   */
  add(entry: Pending): number;
}

export function createWriter(db: Database): Writer {
  const verdict = db.prepare(`${insert('verdicts', VERDICT)} ${ONCE}`);
  const aspect = db.prepare(insert('aspects', ASPECT));
  const stampId = createStampIds(db);
  const begin = db.prepare('SAVEPOINT verdict');
  const undo = db.prepare('ROLLBACK TO verdict');
  const end = db.prepare('RELEASE verdict');

  function add(entry: Pending): number {
    const stamp = entry.result.scorer && stampId(entry.result.scorer);
    const { lastInsertRowid, changes } = verdict.run({ ...verdictColumns(entry), stamp });
    if (Number(changes) === 0) return Number(lastInsertRowid); // it is there already
    for (const row of aspectRows(Number(lastInsertRowid), entry.result.aspects)) aspect.run({ ...row });
    return Number(lastInsertRowid);
  }

  /** Why the verdict does not fit, or undefined. */
  function tryAdd(entry: Pending): string | undefined {
    let refusal: string | undefined;
    begin.run();
    try {
      add(entry);
    } catch (error) {
      if (!blamesRow(error)) throw error;
      undo.run();
      refusal = reasonOf(error);
    }
    end.run();
    return refusal;
  }

  return {
    write: (batch) => inTransaction(db, () => batch.map(tryAdd).filter((reason) => reason !== undefined)),
    add,
  };
}

/** Finds or makes the row of a stamp. Not remembered here: an undone verdict takes its stamp with it. */
function createStampIds(db: Database): (stamp: ScorerStamp) => number {
  const find = db.prepare(`SELECT id FROM stamps WHERE ${STAMP.map((c) => `${c} = :${c}`).join(' AND ')}`);
  const add = db.prepare(insert('stamps', STAMP));
  return ({ version, variant, weights, calibration }) => {
    const row = { version, variant, weights, calibration };
    return Number(find.get(row)?.id ?? add.run(row).lastInsertRowid);
  };
}
