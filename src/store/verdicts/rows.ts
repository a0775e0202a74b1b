/** A verdict as rows of the tables, there and back without loss. */
import { ASPECTS, type AspectScore } from '../../types/aspect.ts';
import type { HistoryEntry } from '../../types/history.ts';
import type { Decision } from '../../types/policy.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { Pending } from './queue.ts';

type Text = string | null;
type Real = number | null;

/** Columns of `verdicts` that are written; the stamp is a row id, see the writer. */
export interface VerdictColumns {
  at: number;
  client: string;
  item: string;
  source: Text;
  sha256: Text;
  width: Real;
  height: Real;
  prompt: Text;
  scorer: Text;
  reward: Real;
  decision: Text;
  guards: string;
  reasons: string;
  prompt_source: Text;
  notes: string;
  decode_ms: Real;
  queue_ms: Real;
  infer_ms: Real;
  total_ms: Real;
  error_code: Text;
  error_message: Text;
  item_group: Text;
  truncated: number;
  once: Text;
}

/** A row of `verdicts` joined with its stamp. */
export interface VerdictRow extends VerdictColumns {
  id: number;
  version: string;
  variant: string;
  weights: string;
  calibration: string;
}

/** A row of `aspects`. */
export interface AspectRow {
  verdict: number;
  aspect: string;
  score: number;
  range_low: number;
  range_high: number;
  percentile: Real;
  interval_low: Real;
  interval_high: Real;
  coverage: Real;
  raw: Real;
  spread: Real;
  distribution: Text;
}

/** NUL and lone surrogates, which SQLite's text cannot hold, become U+FFFD. */
export const plain = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');
export const plainOrNull = (text: Text): Text => (text === null ? null : plain(text));

export const verdictColumns = ({ at, client, result, once }: Pending): VerdictColumns => ({
  at,
  client: plain(client),
  item: plain(result.id),
  source: plainOrNull(result.source),
  sha256: result.sha256,
  width: result.width,
  height: result.height,
  prompt: plainOrNull(result.prompt),
  scorer: result.scorer?.id ?? null,
  reward: result.reward,
  decision: result.decision,
  guards: JSON.stringify(result.guards),
  reasons: JSON.stringify(result.reasons),
  prompt_source: result.promptSource && JSON.stringify(result.promptSource),
  notes: JSON.stringify(result.notes),
  decode_ms: result.timings?.decodeMs ?? null,
  queue_ms: result.timings?.queueMs ?? null,
  infer_ms: result.timings?.inferMs ?? null,
  total_ms: result.timings?.totalMs ?? null,
  error_code: result.error?.code ?? null,
  error_message: plainOrNull(result.error?.message ?? null),
  item_group: plainOrNull(result.group ?? null),
  truncated: result.truncated ? 1 : 0,
  once: once ?? null,
});

export function aspectRows(verdict: number, aspects: ScoreResult['aspects']): AspectRow[] {
  const rows: AspectRow[] = [];
  for (const aspect of ASPECTS) {
    const value = aspects?.[aspect];
    if (value) rows.push(aspectRow(verdict, aspect, value));
  }
  return rows;
}

const aspectRow = (verdict: number, aspect: string, value: AspectScore): AspectRow => ({
  verdict,
  aspect,
  score: value.score,
  range_low: value.range[0],
  range_high: value.range[1],
  percentile: value.percentile,
  interval_low: value.interval?.[0] ?? null,
  interval_high: value.interval?.[1] ?? null,
  coverage: value.coverage,
  raw: value.raw ?? null,
  spread: value.spread ?? null,
  distribution: value.distribution ? JSON.stringify(value.distribution) : null,
});

const aspectScore = (row: AspectRow): AspectScore => ({
  score: row.score,
  range: [row.range_low, row.range_high],
  percentile: row.percentile,
  interval:
    row.interval_low === null || row.interval_high === null ? null : [row.interval_low, row.interval_high],
  coverage: row.coverage,
  ...(row.raw !== null && { raw: row.raw }),
  ...(row.spread !== null && { spread: row.spread }),
  ...(row.distribution !== null && { distribution: JSON.parse(row.distribution) }),
});

/** A result has aspects exactly when it has no error; those without a row are null. */
function aspectsOf(failed: boolean, rows: AspectRow[]): ScoreResult['aspects'] {
  if (failed && rows.length === 0) return null;
  const aspects: NonNullable<ScoreResult['aspects']> = { quality: null, alignment: null, authenticity: null };
  for (const aspect of ASPECTS) {
    const row = rows.find((r) => r.aspect === aspect);
    if (row) aspects[aspect] = aspectScore(row);
  }
  return aspects;
}

const scorerOf = (row: VerdictRow): ScoreResult['scorer'] =>
  row.scorer === null
    ? null
    : {
        id: row.scorer,
        version: row.version,
        variant: row.variant,
        weights: row.weights,
        calibration: row.calibration,
      };

const timingsOf = (row: VerdictRow): ScoreResult['timings'] =>
  row.total_ms === null
    ? null
    : {
        decodeMs: row.decode_ms ?? 0,
        queueMs: row.queue_ms ?? 0,
        inferMs: row.infer_ms ?? 0,
        totalMs: row.total_ms,
      };

/** @param aspects the verdict's rows of `aspects`, in any order */
export function entryOf(row: VerdictRow, aspects: AspectRow[]): HistoryEntry {
  const error = row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? '' };
  const result: ScoreResult = {
    id: row.item,
    ...(row.item_group !== null && { group: row.item_group }),
    source: row.source,
    sha256: row.sha256,
    width: row.width,
    height: row.height,
    prompt: row.prompt,
    promptSource: row.prompt_source === null ? null : JSON.parse(row.prompt_source),
    scorer: scorerOf(row),
    aspects: aspectsOf(error !== null, aspects),
    reward: row.reward,
    guards: JSON.parse(row.guards),
    decision: row.decision as Decision | null,
    reasons: JSON.parse(row.reasons),
    notes: JSON.parse(row.notes),
    ...(row.truncated === 1 && { truncated: true }),
    timings: timingsOf(row),
    error,
  };
  return { rowId: row.id, at: row.at, client: row.client, result };
}
