/** The files of one host that were scored: each once, its verdict written in the same transaction. */
import { fail, reasonOf } from '../errors/error.ts';
import type { HostFile, Ledger, NewOutput, OutputRow, PendingAction } from '../host.ts';
import type { ScoreResult } from '../types/result.ts';
import type { Opened } from './file/connection.ts';
import { type Database, inTransaction } from './file/db.ts';
import { blamesRow } from './file/faults.ts';
import { readVerdicts } from './verdicts/history.ts';
import { plain, plainOrNull } from './verdicts/rows.ts';

interface Columns extends Omit<OutputRow, 'promptId' | 'nextSha256' | 'restoredAt'> {
  prompt_id: string | null;
  next_sha256: string | null;
  restored_at: number | null;
  verdict: number | null;
}

const rowOf = ({ prompt_id, next_sha256, restored_at, verdict: _, ...row }: Columns): OutputRow => ({
  ...row,
  promptId: prompt_id,
  nextSha256: next_sha256,
  restoredAt: restored_at,
});

const KEY = ['host', 'type', 'subfolder', 'filename'] as const;
const REST = [
  'prompt_id',
  'node',
  'sha256',
  'next_sha256',
  'at',
  'verdict',
  'action',
  'state',
  'reason',
  'restored_at',
];

const COLUMNS = [...KEY, ...REST];
/** A row of a file that was not scored. */
const UNSCORED = { prompt_id: null, node: null, sha256: null, next_sha256: null, verdict: null };
const KEPT = { action: 'keep', state: 'done', reason: null, restored_at: null };
const SELECT = `SELECT id, ${COLUMNS.filter((c) => c !== 'host').join(', ')} FROM outputs`;
const INSERT = `INSERT INTO outputs (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((c) => `:${c}`).join(', ')})`;
const REPLACE = `ON CONFLICT (${KEY.join(', ')}) DO UPDATE SET ${REST.map((c) => `${c} = :${c}`).join(', ')}`;
const BY_KEY = KEY.map((c) => `${c} = :${c}`).join(' AND ');

type Use = <T>(work: (opened: Opened) => T) => T;

/** Names from a host may hold what SQLite's text cannot. */
const keyOf = (host: string, { type, subfolder, filename }: HostFile) => ({
  host,
  type,
  subfolder: plain(subfolder),
  filename: plain(filename),
});

function findRow(db: Database, host: string, file: HostFile): Columns | undefined {
  return db.prepare(`${SELECT} WHERE ${BY_KEY}`).get(keyOf(host, file)) as Columns | undefined;
}

/** Whether the row tells of this very image: by its bytes, or by its run when there were none. */
const isSame = (row: Columns, result: ScoreResult, output: NewOutput): boolean =>
  result.sha256 === null
    ? row.prompt_id === output.promptId
    : [row.sha256, row.next_sha256].includes(result.sha256);

/**
 * @param host address of the host, as the rows name it
 * @param use runs work on the open file
 * @param now Unix milliseconds
 */
export function createLedger(host: string, use: Use, now: () => number): Ledger {
  function insert({ db, writer }: Opened, result: ScoreResult, output: NewOutput, client: string): OutputRow {
    const row = {
      ...keyOf(host, output),
      prompt_id: plainOrNull(output.promptId),
      node: plainOrNull(output.node),
      sha256: result.sha256,
      next_sha256: null,
      at: output.at,
      verdict: writer.add({ at: now(), client, result }),
      action: output.action,
      state: output.action === 'keep' ? 'done' : 'pending',
      reason: null,
      restored_at: null,
    };
    db.prepare(`${INSERT} ${REPLACE}`).run(row);
    return rowOf(findRow(db, host, output)!);
  }

  /** What does not fit the tables is our own mistake, and no reason to give up the file. */
  function recordIn(opened: Opened, ...[result, output, client]: Parameters<Ledger['record']>) {
    try {
      return inTransaction(opened.db, () => {
        const known = findRow(opened.db, host, output);
        return known && isSame(known, result, output) ? null : insert(opened, result, output, client);
      });
    } catch (cause) {
      if (!blamesRow(cause)) throw cause;
      return fail(
        'INTERNAL',
        { reason: `a verdict does not fit the history: ${reasonOf(cause)}` },
        { cause },
      );
    }
  }

  return {
    begin: () =>
      use(({ db }) =>
        inTransaction(db, () => {
          db.prepare('INSERT INTO hosts VALUES (?, ?) ON CONFLICT DO NOTHING').run(host, now());
          return Number(db.prepare('SELECT watched_since FROM hosts WHERE url = ?').get(host)!.watched_since);
        }),
      ),
    find: (file) =>
      use(({ db }) => {
        const row = findRow(db, host, file);
        return row && rowOf(row);
      }),
    record(...entry) {
      const answer = use((opened) => recordIn(opened, ...entry));
      if (answer instanceof Error) throw answer;
      return answer;
    },
    leave: (file, { promptId, node, at }, reason) =>
      use(({ db }) => {
        const run = { prompt_id: plainOrNull(promptId), node: plainOrNull(node), at };
        const row = { ...UNSCORED, ...KEPT, ...keyOf(host, file), ...run, reason: plain(reason) };
        db.prepare(`${INSERT} ${REPLACE} WHERE prompt_id IS NOT :prompt_id`).run(row);
      }),
    pending: (after, limit) => use(({ db }) => readPending(db, host, after, limit)),
    adopt: (id, { promptId, node }) =>
      use(({ db }) => {
        db.prepare('UPDATE outputs SET prompt_id = ?, node = ? WHERE id = ?').run(promptId, node, id);
      }),
    expect: (id, sha256) =>
      use(({ db }) => {
        db.prepare('UPDATE outputs SET next_sha256 = ? WHERE id = ?').run(sha256, id);
      }),
    settle: (id, { state, reason, sha256 }) =>
      use(({ db }) => {
        // After a failure the file may be tagged or not.
        const next = state === 'done' ? ', next_sha256 = NULL' : '';
        const set = `UPDATE outputs SET state = ?, reason = ?, sha256 = ?${next} WHERE id = ?`;
        db.prepare(set).run(state, plainOrNull(reason), sha256, id);
      }),
    restored: (file, sha256) => use(({ db }) => restore(db, { ...keyOf(host, file), sha256, at: now() })),
  };
}

function readPending(db: Database, host: string, after: number, limit: number): PendingAction[] {
  const rows = db
    .prepare(`${SELECT} WHERE host = ? AND state = 'pending' AND id > ? ORDER BY id LIMIT ?`)
    .all(host, after, limit) as unknown as Columns[];
  const ids = rows.map((row) => row.verdict).filter((id) => id !== null);
  const verdicts = readVerdicts(db, ids);
  return rows.flatMap((row) => {
    const entry = verdicts.get(row.verdict ?? -1);
    return entry ? [{ output: rowOf(row), result: entry.result }] : [];
  });
}

/** A row of another image that has the name by now is left as it is. */
function restore(db: Database, file: ReturnType<typeof keyOf> & { sha256: string; at: number }): void {
  const set = "action = 'keep', state = 'done', reason = NULL, at = :at, restored_at = :at";
  inTransaction(db, () => {
    db.prepare(`UPDATE outputs SET ${set} WHERE ${BY_KEY} AND sha256 = :sha256`).run(file);
    const row = { ...UNSCORED, ...KEPT, ...file, restored_at: file.at };
    db.prepare(`${INSERT} ON CONFLICT DO NOTHING`).run(row);
  });
}
