/** `--resume`: what an earlier run has written, and what of it still holds. */
import { hash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ERRORS } from '../../errors/table.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import { writeWhole } from '../../lib/whole-file.ts';
import { counted } from '../../lib/words.ts';
import { decide } from '../../loops/policy/policy.ts';
import type { Policy } from '../../types/policy.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { ScorerStamp } from '../../types/scorer.ts';
import { type Format, usage } from '../input/flags.ts';
import { cannotWrite, PART } from '../terminal/out.ts';
import { type EarlierRow, readRows } from './earlier.ts';

export interface Judged {
  path: string;
  result: ScoreResult;
}

export interface Resumed {
  /** Images whose results are there, by their full paths. */
  done: ReadonlySet<string>;
  /** Those of them in this run that failed, and how. */
  failed: string[];
  /** Those of them in this run that are rejected, now if not then. */
  rejected: Judged[];
  /** Whether there are lines, and so a CSV header. */
  hasLines: boolean;
  /** For people. */
  notes: string[];
}

export const NOTHING_DONE: Resumed = {
  done: new Set(),
  failed: [],
  rejected: [],
  hasLines: false,
  notes: [],
};

export interface ResumeOptions {
  out: string;
  format: Format;
  scorer: ScorerStamp;
  /** What decides in this run. */
  policy: Policy;
  paths: readonly string[];
  /** The prompt that an image is to be judged by; undefined where it is looked for in the file. */
  promptOf: (path: string) => string | null | undefined;
}

/** A failure that another try may not meet. */
const isPassing = ({ error, result: { sha256 } }: EarlierRow): boolean => {
  if (error === null) return false;
  const kind = Object.hasOwn(ERRORS, error) ? ERRORS[error as keyof typeof ERRORS].kind : 'internal';
  return sha256 === null || kind === 'retry' || kind === 'internal';
};

/** Whether the file was written since, and is another image now. */
function isChanged(path: string, sha256: string | null, since: number): boolean {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat || stat.mtimeMs <= since) return false;
    return hash('sha256', readNamedFile(path)) !== sha256;
  } catch {
    return true; // scoring it again says why
  }
}

/** The row as this run would have judged the image by its scores; what a guard rejected stays so. */
function judgedBy(policy: Policy, row: EarlierRow): EarlierRow {
  const { aspects, reward, guards, decision, reasons } = row.result;
  if (!aspects || guards.length > 0) return row;
  const verdict = decide({ aspects, reward, guards }, policy);
  if (verdict.decision === decision && verdict.reasons.join('; ') === reasons.join('; ')) return row;
  return { ...row, result: { ...row.result, ...verdict }, text: row.textWith(verdict) };
}

const wordsOf = (text: string | null): string | null => text?.trim() || null;

function checkScorer(row: EarlierRow, { out, scorer }: ResumeOptions): void {
  const now = `${scorer.id}@${scorer.version}`;
  if (!row.scorer || (row.scorer === now && row.weights === scorer.weights)) return;
  throw usage(
    `--resume: ${out} was scored by ${row.scorer} (${row.weights}), and this is ${now} (${scorer.weights}); scores of two scorers do not belong in one table. Choose another --out`,
  );
}

/** Sorts earlier rows into those that hold and those to be done again. */
class Earlier {
  readonly done = new Set<string>();
  readonly texts: string[] = [];
  readonly failed: string[] = [];
  readonly rejected: Judged[] = [];
  again = 0;
  judgedAnew = 0;
  /** Images of this run by their full paths. */
  readonly #here: ReadonlyMap<string, string>;
  readonly #options: ResumeOptions;

  constructor(options: ResumeOptions) {
    this.#here = new Map(options.paths.map((path) => [resolve(path), path]));
    this.#options = options;
  }

  /** @param since when the file that holds the row was begun. @throws USAGE when another scorer made it */
  take(row: EarlierRow, since: number): void {
    checkScorer(row, this.#options);
    const full = resolve(row.source);
    if (this.done.has(full)) return;
    const path = this.#here.get(full);
    if (isPassing(row) || (path !== undefined && !this.#holds(row, path, since))) {
      if (path !== undefined) this.again++;
      return;
    }
    this.done.add(full);
    const judged = judgedBy(this.#options.policy, row);
    if (judged !== row) this.judgedAnew++;
    this.#keep(judged, path);
    if (row.error !== null && path !== undefined) this.failed.push(`${path} (${row.error})`);
  }

  #keep(row: EarlierRow, path: string | undefined): void {
    this.texts.push(row.text);
    if (path !== undefined && row.result.decision === 'reject')
      this.rejected.push({ path, result: row.result });
  }

  #holds(row: EarlierRow, path: string, since: number): boolean {
    const prompt = this.#options.promptOf(path);
    const samePrompt = prompt === undefined || wordsOf(prompt) === wordsOf(row.given);
    return samePrompt && !isChanged(path, row.result.sha256, since);
  }
}

/** When a file was begun; what is older cannot have changed since it was scored. */
function begunAt(path: string): number {
  const { birthtimeMs, mtimeMs } = statSync(path);
  return birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : 0;
}

/**
 * Gathers what still holds in the `.part` file of `out`, for the run to go on with. Whenever the process dies, the rows
 * are in one of the files.
 *
 * @throws USAGE when another scorer or another format wrote them
 */
export function resume(options: ResumeOptions): Resumed {
  const { out, format, paths } = options;
  const part = out + PART;
  const earlier = new Earlier(options);
  let top = '';
  // The part holds what the table had, and more.
  for (const file of [part, out].filter((path) => existsSync(path))) {
    const since = begunAt(file);
    const { header, rows } = readRows(file, format);
    top ||= header;
    for (const row of rows) earlier.take(row, since);
  }
  const { done, again, judgedAnew, texts, failed, rejected } = earlier;
  const hasLines = texts.length > 0;
  replace(part, hasLines ? top + texts.join('') : '');
  const here = paths.filter((path) => done.has(resolve(path))).length;
  const notes = [`resume: ${here} of ${counted(paths.length, 'image')} done already`];
  if (again > 0)
    notes.push(`resume: ${again} done again: the image or its prompt is another, or it failed in passing`);
  if (judgedAnew > 0) notes.push(`resume: ${judgedAnew} get another verdict: the thresholds are others`);
  return { done, failed, rejected, hasLines, notes };
}

/** @throws OUTPUT_UNWRITABLE */
function replace(path: string, text: string): void {
  try {
    writeWhole(path, text);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}
