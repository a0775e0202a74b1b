/** `--resume`: what an earlier run has written, and what of it still holds. */

import { hash } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { ERRORS } from '../../errors.ts';
import type { ScorerStamp } from '../../types.ts';
import type { Format } from '../flags.ts';
import { usage } from '../flags.ts';
import { PART } from '../out.ts';
import { type EarlierRow, readRows } from './earlier.ts';

export interface Resumed {
  /** Images whose results are there, by their full paths. */
  done: ReadonlySet<string>;
  /** Whether any of these is a failure. */
  hasFailures: boolean;
  /** Whether there are lines, and so a CSV header. */
  hasLines: boolean;
  /** For people. */
  notes: string[];
}

export const NOTHING_DONE: Resumed = { done: new Set(), hasFailures: false, hasLines: false, notes: [] };

export interface ResumeOptions {
  out: string;
  format: Format;
  scorer: ScorerStamp;
  paths: readonly string[];
  /** The prompt that an image is to be judged by; undefined where it is looked for in the file. */
  promptOf: (path: string) => string | null | undefined;
}

/** A failure that another try may not meet. */
const isPassing = ({ error, sha256 }: EarlierRow): boolean => {
  if (error === null) return false;
  const kind = error in ERRORS ? ERRORS[error as keyof typeof ERRORS].kind : 'internal';
  return sha256 === null || kind === 'retry' || kind === 'internal';
};

/** Whether the file was written since, and is another image now. */
function isChanged(path: string, sha256: string | null, since: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat || stat.mtimeMs <= since) return false;
  return hash('sha256', readFileSync(path)) !== sha256;
}

const wordsOf = (text: string | null): string | null => text?.trim() || null;

function checkScorer(row: EarlierRow, { out, scorer }: ResumeOptions): void {
  const now = `${scorer.id}@${scorer.version}`;
  if (!row.scorer || (row.scorer === now && row.weights === scorer.weights)) return;
  throw usage(
    `--resume: ${out} was scored by ${row.scorer} (${row.weights}), and this is ${now} (${scorer.weights}); scores of two scorers do not belong in one table. Choose another --out`,
  );
}

/** Sorts the rows of one file into those that hold and those to be done again. */
class Earlier {
  readonly done = new Set<string>();
  hasFailures = false;
  again = 0;
  lines = 0;
  /** Images of this run by their full paths. */
  readonly #here: ReadonlyMap<string, string>;
  readonly #options: ResumeOptions;

  constructor(options: ResumeOptions) {
    this.#here = new Map(options.paths.map((path) => [resolve(path), path]));
    this.#options = options;
  }

  /** Whether the row stays. @throws USAGE when another scorer made it */
  keeps(row: EarlierRow, since: number): boolean {
    checkScorer(row, this.#options);
    const full = resolve(row.source);
    const path = this.#here.get(full);
    if (this.done.has(full)) return false;
    if (path !== undefined && !this.#holds(row, path, since)) {
      this.again++;
      return false;
    }
    this.lines++;
    this.done.add(full);
    this.hasFailures ||= row.error !== null && path !== undefined;
    return true;
  }

  #holds(row: EarlierRow, path: string, since: number): boolean {
    const prompt = this.#options.promptOf(path);
    const samePrompt = prompt === undefined || wordsOf(prompt) === wordsOf(row.given);
    return samePrompt && !isPassing(row) && !isChanged(path, row.sha256, since);
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
export async function resume(options: ResumeOptions): Promise<Resumed> {
  const { out, format } = options;
  const part = out + PART;
  const fresh = `${part}.new`;
  const earlier = new Earlier(options);
  const target = createWriteStream(fresh);
  // The part holds what the table had, and more.
  for (const file of [part, out].filter((path) => existsSync(path))) {
    const since = begunAt(file);
    const { header, rows } = readRows(file, format);
    for (const row of rows) {
      if (!earlier.keeps(row, since)) continue;
      if (earlier.lines === 1) target.write(header);
      target.write(row.text);
    }
  }
  await finished(target.end());
  renameSync(fresh, part);
  const { done, again, lines, hasFailures } = earlier;
  const here = options.paths.filter((path) => done.has(resolve(path))).length;
  const notes = [`resume: ${here} of ${options.paths.length} images are done already`];
  if (again > 0)
    notes.push(
      `resume: ${again} are done again: the image or its prompt is another, or it failed in passing`,
    );
  return { done, hasFailures, hasLines: lines > 0, notes };
}
