/** A history query as SQL conditions, all of which must hold. */
import type { HistoryQuery } from '../types.ts';
import { rowOfCursor } from './cursor.ts';

type Value = string | number;

/** Conditions joined by AND, and a value for each question mark in turn. */
export interface Where {
  sql: string;
  values: Value[];
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
  // SQLite's lower() knows ASCII alone and is many times faster than a call into JavaScript for each row.
  return [`instr(${ascii ? 'lower' : 'fold'}(v.prompt), ?) > 0`, prompt.toLowerCase()];
};

const CONDITIONS: readonly Condition[] = [
  ({ cursor }) => (cursor === undefined ? undefined : ['v.id < ?', rowOfCursor(cursor)]),
  given('sha256', 'v.sha256 = ?'),
  given('scorer', 'v.scorer IN (SELECT id FROM scorers WHERE name = ?)'),
  given('decision', 'v.decision = ?'),
  ({ failed }) =>
    failed === undefined ? undefined : [failed ? 'v.error_code IS NOT NULL' : 'v.error_code IS NULL'],
  given('since', 'v.at >= ?'),
  given('until', 'v.at < ?'),
  given('minReward', 'v.reward >= ?'),
  given('maxReward', 'v.reward <= ?'),
  promptContains,
];

/**
 * The WHERE clause of a query; `true` when it filters nothing.
 *
 * @throws BAD_REQUEST for a cursor that no page gave
 */
export function whereOf(query: HistoryQuery): Where {
  const made = CONDITIONS.map((condition) => condition(query)).filter((c) => c !== undefined);
  return {
    sql: made.map(([sql]) => sql).join(' AND ') || 'true',
    values: made.flatMap(([, ...values]) => values),
  };
}
