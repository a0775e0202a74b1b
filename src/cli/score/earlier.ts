/** Results as they stand in a file that an earlier run wrote, whole lines only. */
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { readNamedFile } from '../../lib/plain-file.ts';
import { emptyResult } from '../../results.ts';
import { ASPECTS, type Aspect, type AspectScore } from '../../types/aspect.ts';
import type { ScoreResult } from '../../types/result.ts';
import { type Format, usage } from '../input/flags.ts';

export type Verdict = Pick<ScoreResult, 'decision' | 'reasons'>;

export interface EarlierRow {
  /** What it says, as far as the format tells. */
  result: ScoreResult;
  source: string;
  /** The prompt as it was given; null for none. */
  given: string | null;
  /** Code. */
  error: string | null;
  /** `id@version`; empty where nothing was scored. */
  scorer: string;
  weights: string;
  /** As it stands in the file, with its end of line. */
  text: string;
  /** The same with another verdict. */
  textWith(verdict: Verdict): string;
}

interface EarlierFile {
  /** The line above the rows; empty in JSON Lines. */
  header: string;
  rows: EarlierRow[];
}

const aspectSchema = z.looseObject({
  score: z.number(),
  percentile: z.number().nullable(),
  interval: z.tuple([z.number(), z.number()]).nullable(),
});

/** What is read of a line; the rest is passed on as it is. */
const lineSchema = z.looseObject({
  id: z.string(),
  source: z.string().nullable(),
  sha256: z.string().nullable(),
  prompt: z.string().nullable(),
  promptSource: z.looseObject({ original: z.string().nullish() }).nullish(),
  scorer: z.looseObject({ id: z.string(), version: z.string(), weights: z.string() }).nullable(),
  aspects: z.partialRecord(z.enum(ASPECTS), aspectSchema.nullable()).nullable(),
  reward: z.number().nullable(),
  guards: z.array(z.unknown()),
  decision: z.enum(['accept', 'reject', 'unsure']).nullable(),
  reasons: z.array(z.string()),
  error: z.looseObject({ code: z.string() }).nullable(),
});

/** Undefined for a line that no run wrote, or wrote whole. */
function fromJson(line: string): EarlierRow | undefined {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!lineSchema.safeParse(read).success) return undefined;
  const result = read as ScoreResult;
  const { source, id, prompt, promptSource, error, scorer } = result;
  return {
    result,
    source: source ?? id,
    given: promptSource?.original ?? prompt,
    error: error?.code ?? null,
    scorer: scorer ? `${scorer.id}@${scorer.version}` : '',
    weights: scorer?.weights ?? '',
    text: `${line}\n`,
    textWith: (verdict) => `${JSON.stringify({ ...result, ...verdict })}\n`,
  };
}

/** The last line may have been cut short. */
const fromJsonLines = (text: string): EarlierFile => ({
  header: '',
  rows: text.split('\n').flatMap((line) => fromJson(line) ?? []),
});

/** Columns without which a table cannot be gone on with. */
const NEEDED = [
  ...['name', 'sha256', 'scorer', 'weights', 'error', 'prompt', 'prompt_original'],
  ...['reward', 'decision', 'guards', 'reasons'],
];

type Cell = (name: string) => string;

/** What a verdict rests on; a table has neither the range nor the coverage. */
function aspectIn(cell: Cell, aspect: Aspect): AspectScore | null {
  if (!cell(aspect)) return null;
  const [score, percentile, low, high] = ['', '_percentile', '_low', '_high'].map((end) => {
    const text = cell(aspect + end);
    return text ? Number(text) : null;
  });
  const interval = low === null || high === null ? null : [low, high];
  return { score, percentile, interval } as AspectScore;
}

function resultIn(cell: Cell): ScoreResult {
  const name = cell('name');
  const aspects = Object.fromEntries(ASPECTS.map((aspect) => [aspect, aspectIn(cell, aspect)]));
  return {
    ...emptyResult({ id: name, source: name, prompt: cell('prompt') || null }, null),
    sha256: cell('sha256') || null,
    aspects: cell('error') ? null : (aspects as ScoreResult['aspects']),
    reward: cell('reward') ? Number(cell('reward')) : null,
    guards: cell('guards')
      .split(' ')
      .filter(Boolean)
      .map((guard) => ({ guard, message: '' })) as ScoreResult['guards'],
    decision: (cell('decision') || null) as ScoreResult['decision'],
    reasons: cell('reasons').split('; ').filter(Boolean),
  };
}

function fromCells(head: readonly string[], cells: readonly string[]): EarlierRow {
  const cell: Cell = (name) => cells[head.indexOf(name)] ?? '';
  return {
    result: resultIn(cell),
    source: cell('name'),
    given: cell('prompt_original') || cell('prompt') || null,
    error: cell('error') || null,
    scorer: cell('scorer'),
    weights: cell('weights'),
    text: stringify([cells]),
    textWith({ decision, reasons }) {
      const changed: Record<string, string> = { decision: decision ?? '', reasons: reasons.join('; ') };
      return stringify([head.map((name) => changed[name] ?? cell(name))]);
    },
  };
}

function fromCsv(text: string, path: string): EarlierFile {
  const options = { bom: true, relax_column_count: true, skip_records_with_error: true };
  const [head, ...body] = parse(text, options) as string[][];
  if (!head) return { header: '', rows: [] };
  const missing = NEEDED.filter((name) => !head.includes(name));
  if (missing.length > 0)
    throw usage(`--resume: ${path} has no column ${missing.join(', ')}; choose another --out`);
  const cut = text.endsWith('\n') ? body : body.slice(0, -1);
  const rows = cut.filter((cells) => cells.length === head.length).map((cells) => fromCells(head, cells));
  return { header: stringify([head]), rows };
}

/** @throws USAGE for a table of another kind */
export function readRows(path: string, format: Format): EarlierFile {
  const text = readNamedFile(path).toString('utf8');
  const isJson = text.trimStart().startsWith('{');
  if (text.trim() !== '' && isJson !== (format === 'jsonl'))
    throw usage(`--resume: ${path} is not in the format ${format}`);
  return format === 'jsonl' ? fromJsonLines(text) : fromCsv(text, path);
}
