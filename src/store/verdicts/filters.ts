/** A history query as SQL conditions, all of which must hold. */
import type { HistoryQuery } from '../../types/history.ts';
import { rowOfCursor } from './cursor.ts';

type Value = string | number;

/** Conditions joined by AND, and a value for each question mark in turn. */
interface Conditions {
  sql: string;
  values: Value[];
}

/** A range of one indexed column. */
export interface Range extends Conditions {
  index: string;
}

export interface Where extends Conditions {
  /** Those of the conditions that are ranges, each by itself. */
  ranges: Range[];
  /** Only rows with a smaller id: where the page before ended. */
  before: number | undefined;
}

type Condition = (query: HistoryQuery) => [sql: string, ...values: Value[]] | undefined;

/** A condition with one value, made only when the query has it. */
const given =
  <K extends keyof HistoryQuery>(key: K, sql: string): Condition =>
  (query) => {
    const value = query[key] as Value | undefined;
    return value === undefined ? undefined : [sql, value];
  };

/** Substring, case-insensitive. What is searched is never a pattern: % and _ stand for themselves. */
const promptContains: Condition = ({ prompt }) => {
  if (prompt === undefined || prompt === '') return undefined;
  const ascii = /^[\x20-\x7e]*$/.test(prompt);
  // SQLite's lower() knows ASCII alone, and is faster than a call into JavaScript for each row.
  return [`instr(${ascii ? 'lower' : 'fold'}(v.prompt), ?) > 0`, prompt.toLowerCase()];
};

const failedIs: Condition = ({ failed }) =>
  failed === undefined ? undefined : [failed ? 'v.error_code IS NOT NULL' : 'v.error_code IS NULL'];

const CONDITIONS: readonly Condition[] = [
  given('sha256', 'v.sha256 = ?'),
  given('scorer', 'v.scorer = ?'),
  given('decision', 'v.decision = ?'),
  failedIs,
  promptContains,
];

const RANGES: readonly { index: string; conditions: readonly Condition[] }[] = [
  { index: 'verdicts_by_at', conditions: [given('since', 'v.at >= ?'), given('until', 'v.at < ?')] },
  {
    index: 'verdicts_by_reward',
    conditions: [given('minReward', 'v.reward >= ?'), given('maxReward', 'v.reward <= ?')],
  },
];

/** Those of the conditions that the query asks for; undefined when it asks for none. */
function join(conditions: readonly Condition[], query: HistoryQuery): Conditions | undefined {
  const made = conditions.map((condition) => condition(query)).filter((c) => c !== undefined);
  if (made.length === 0) return undefined;
  return { sql: made.map(([sql]) => sql).join(' AND '), values: made.flatMap(([, ...values]) => values) };
}

/**
 * The WHERE clause of a query; `true` when it filters nothing. Plain data, for it goes to another thread.
 *
 * @throws BAD_REQUEST for a cursor that no page gave
 */
export function whereOf(query: HistoryQuery): Where {
  const all = [...CONDITIONS, ...RANGES.flatMap(({ conditions }) => conditions)];
  const ranges: Range[] = [];
  for (const { index, conditions } of RANGES) {
    const range = join(conditions, query);
    if (range) ranges.push({ ...range, index });
  }
  const before = query.cursor === undefined ? undefined : rowOfCursor(query.cursor);
  return { ...(join(all, query) ?? { sql: 'true', values: [] }), ranges, before };
}
