/** Results as they stand in a file that an earlier run wrote, whole lines only. */
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { ScoreResult } from '../../types.ts';
import { type Format, usage } from '../flags.ts';

export interface EarlierRow {
  /** As it stands in the file, with its end of line. */
  text: string;
  source: string;
  sha256: string | null;
  /** The prompt as it was given; null for none. */
  given: string | null;
  /** Code. */
  error: string | null;
  /** `id@version`; empty where nothing was scored. */
  scorer: string;
  weights: string;
}

interface EarlierFile {
  /** The line above the rows; empty in JSON Lines. */
  header: string;
  rows: EarlierRow[];
}

function fromJson(line: string): EarlierRow | undefined {
  let result: ScoreResult;
  try {
    result = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { source, id, sha256, prompt, promptSource, error, scorer } = result;
  return {
    text: `${line}\n`,
    source: source ?? id,
    sha256,
    given: promptSource?.original ?? prompt,
    error: error?.code ?? null,
    scorer: scorer ? `${scorer.id}@${scorer.version}` : '',
    weights: scorer?.weights ?? '',
  };
}

/** The last line may have been cut short. */
const fromJsonLines = (text: string): EarlierFile => ({
  header: '',
  rows: text.split('\n').flatMap((line) => fromJson(line) ?? []),
});

/** Columns without which a table cannot be gone on with. */
const NEEDED = ['name', 'sha256', 'scorer', 'weights', 'error', 'prompt', 'prompt_original'];

function fromCsv(text: string, path: string): EarlierFile {
  const options = { bom: true, relax_column_count: true, skip_records_with_error: true };
  const [head, ...body] = parse(text, options) as string[][];
  if (!head) return { header: '', rows: [] };
  const missing = NEEDED.filter((name) => !head.includes(name));
  if (missing.length > 0)
    throw usage(`--resume: ${path} has no column ${missing.join(', ')}; choose another --out`);
  const cut = text.endsWith('\n') ? body : body.slice(0, -1);
  const rows = cut
    .filter((cells) => cells.length === head.length)
    .map((cells) => {
      const cell = (name: string) => cells[head.indexOf(name)]!;
      return {
        text: stringify([cells]),
        source: cell('name'),
        sha256: cell('sha256') || null,
        given: cell('prompt_original') || cell('prompt') || null,
        error: cell('error') || null,
        scorer: cell('scorer'),
        weights: cell('weights'),
      };
    });
  return { header: stringify([head]), rows };
}

/** @throws USAGE for a table of another kind */
export function readRows(path: string, format: Format): EarlierFile {
  const text = readFileSync(path, 'utf8');
  const isJson = text.trimStart().startsWith('{');
  if (text.trim() !== '' && isJson !== (format === 'jsonl'))
    throw usage(`--resume: ${path} is not in the format ${format}`);
  return format === 'jsonl' ? fromJsonLines(text) : fromCsv(text, path);
}
