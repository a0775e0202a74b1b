/** `assay score`: images to results, as a table or for machines. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'csv-parse/sync';
import { EXIT, fail, reasonOf, toAssayError } from '../errors.ts';
import { emptyResult } from '../pipeline.ts';
import type { ScoreResult } from '../types.ts';
import { type Format, type ScorerFlags, usage } from './flags.ts';
import { expandImages, fileItem } from './images.ts';
import { openKeeper } from './metadata.ts';
import { openPipeline, scoreAll } from './open.ts';
import { closeOut, openOut } from './out.ts';
import { printer } from './printer.ts';
import { startProgress } from './progress.ts';
import { RESULTS } from './results.ts';

export interface ScoreFlags extends ScorerFlags {
  prompt?: string;
  prompts?: string;
  format: Format;
  out?: string;
  writeMetadata?: boolean;
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
  const print = printer(flags.format, RESULTS, out);
  const keeper = flags.writeMetadata ? openKeeper() : undefined;
  const progress = startProgress(paths.length, 'scoring');
  const failed = failures.map(({ name, error }) => failedResult(name, error));
  try {
    for (const note of (await catalog.open()).notes) process.stderr.write(`${note}\n`);
    for (const result of failed) print.add(result);
    const items = paths.map((path) => fileItem(path, prompt(path)));
    const order = inOrder((result) => print.add(result));
    const results = await scoreAll(pipeline, items, interruptSignal(), (done, _total, result, index) => {
      progress.update(done);
      order(index, result);
      keeper?.keep(paths[index]!, result);
    });
    progress.stop();
    print.end();
    await closeOut(out);
    const unkept = (await keeper?.done()) ?? 0;
    return unkept > 0 || [...failed, ...results].some((r) => r.error) ? EXIT.someFailed : EXIT.ok;
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
