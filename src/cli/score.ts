/** `assay score`: images to results, as a table or for machines. */
import { createWriteStream, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { parse } from 'csv-parse/sync';
import { EXIT, fail, reasonOf, toAssayError } from '../errors.ts';
import { emptyResult } from '../pipeline.ts';
import type { ScoreResult } from '../types.ts';
import { type ScorerFlags, usage } from './flags.ts';
import { expandImages, fileItem } from './images.ts';
import { openPipeline, scoreAll } from './open.ts';
import { startProgress } from './progress.ts';
import { type Format, formatter } from './results.ts';

export interface ScoreFlags extends ScorerFlags {
  prompt?: string;
  prompts?: string;
  format: Format;
  out?: string;
}

/** Prompts by file name, from a CSV with columns `name` and `prompt`. */
function readPrompts(path: string): Map<string, string> {
  let rows: Record<string, string>[];
  try {
    rows = parse(readFileSync(path, 'utf8'), {
      columns: true,
      bom: true,
      skip_empty_lines: true,
      trim: true,
    });
  } catch (cause) {
    throw fail('FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
  const first = rows[0];
  if (first && !('name' in first && 'prompt' in first))
    throw usage(`${path} needs the columns name and prompt; it has ${Object.keys(first).join(', ')}`);
  return new Map(rows.map((row) => [basename(row.name!), row.prompt!]));
}

function promptOf(flags: ScoreFlags): (path: string) => string | null {
  if (flags.prompt !== undefined && flags.prompts !== undefined)
    throw usage('give --prompt or --prompts, not both');
  if (flags.prompts === undefined) return () => flags.prompt ?? null;
  const prompts = readPrompts(flags.prompts);
  return (path) => prompts.get(basename(path)) ?? null;
}

/** The result for a name that led to no file. */
function failedResult(name: string, thrown: unknown): ScoreResult {
  const { code, message } = toAssayError(thrown);
  return { ...emptyResult({ id: name, source: name, prompt: null }, null), error: { code, message } };
}

/** Opened before any scoring: a file that cannot be written should not cost the scores. */
function openOut(path: string | undefined): NodeJS.WriteStream {
  if (path === undefined) return process.stdout;
  try {
    return createWriteStream(path, { fd: openSync(path, 'w') }) as unknown as NodeJS.WriteStream;
  } catch (cause) {
    throw usage(`--out: cannot write ${path}: ${reasonOf(cause)}`);
  }
}

/** Ctrl-C stops the scoring; what is done is still printed. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}

export async function score(names: string[], flags: ScoreFlags): Promise<number> {
  const prompt = promptOf(flags);
  const { paths, failures } = await expandImages(names);
  const { catalog, pipeline } = openPipeline(flags);
  const out = openOut(flags.out);
  const printer = formatter(flags.format, out);
  const progress = startProgress(paths.length, 'scoring');
  const failed = failures.map(({ name, error }) => failedResult(name, error));
  try {
    for (const note of (await catalog.open()).notes) process.stderr.write(`${note}\n`);
    for (const result of failed) printer.add(result);
    const items = paths.map((path) => fileItem(path, prompt(path)));
    const order = inOrder((result) => printer.add(result));
    const results = await scoreAll(pipeline, items, interruptSignal(), (done, _total, result, index) => {
      progress.update(done);
      order(index, result);
    });
    progress.stop();
    printer.end();
    if (out !== process.stdout) await finished(out.end());
    return [...failed, ...results].some((r) => r.error) ? EXIT.someFailed : EXIT.ok;
  } finally {
    progress.stop();
    await catalog.close();
  }
}

/** Passes results on in index order as soon as all before them are there. */
function inOrder(emit: (result: ScoreResult) => void): (index: number, result: ScoreResult) => void {
  const early = new Map<number, ScoreResult>();
  let next = 0;
  return (index, result) => {
    early.set(index, result);
    for (let ready = early.get(next); ready; ready = early.get(next)) {
      early.delete(next++);
      emit(ready);
    }
  };
}
