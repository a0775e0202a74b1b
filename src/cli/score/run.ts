/** One run of `assay score`: images to results, until all are done or it is stopped. */
import { resolve } from 'node:path';
import { toAssayError } from '../../errors/error.ts';
import { EXIT } from '../../errors/exit.ts';
import { counted, fewOf } from '../../lib/words.ts';
import { failedResult } from '../../results.ts';
import type { ItemError, ScoreResult } from '../../types/result.ts';
import type { Service } from '../../types/service.ts';
import { type Expanded, fileItem, inNaturalOrder } from '../input/images.ts';
import { scoreAll } from '../open.ts';
import { READER_LEFT } from '../process/stop-signal.ts';
import type { Out } from '../terminal/out.ts';
import { startProgress } from '../terminal/progress.ts';
import { printable, printableLines } from '../terminal/verdicts.ts';
import type { Deeds } from './deeds.ts';
import type { Demands } from './demands.ts';
import type { Listing } from './listing.ts';
import type { PromptSource } from './prompts.ts';
import type { Resumed } from './resume.ts';

/** Everything that a run works with. */
export interface Run {
  service: Pick<Service, 'score'>;
  expanded: Expanded;
  prompts: PromptSource;
  demands: Demands;
  earlier: Resumed;
  out: Out;
  listing: Listing;
  deeds: Deeds;
  /** What was said before the first image. */
  notes: string[];
  /** Whether another run can go on with the output. */
  resumable: boolean;
  signal: AbortSignal;
}

export const tell = (notes: readonly string[]): void => {
  for (const note of notes) process.stderr.write(`${printableLines(note)}\n`);
};

const failure = (name: string, { message }: ItemError): string => printable(`${name} (${message})`);

/** What a file holds, which nobody sees coming: how many, and who failed. */
const summary = (total: number, failed: readonly string[], out: string): string =>
  `${total - failed.length} scored, ${failed.length} failed${failed.length > 0 ? `: ${fewOf(failed)}` : ''} → ${out}`;

interface Counts {
  finished: number;
  /** Those that failed, and why. */
  failed: string[];
  /** Prompts that were found in the files, and those of them that may be wrong. */
  carried: number;
  uncertain: number;
}

function count(counts: Counts, { id, source, error, promptSource }: ScoreResult): void {
  counts.finished++;
  if (error) counts.failed.push(failure(source ?? id, error));
  if (promptSource === null || promptSource.from === null || promptSource.from === 'request') return;
  counts.carried++;
  if (!promptSource.certain) counts.uncertain++;
}

function carriedNote({ carried, uncertain }: Counts): string[] {
  if (carried === 0) return [];
  const doubt = uncertain > 0 ? `, ${uncertain} of them not for certain` : '';
  return [`${counted(carried, 'prompt')} found in the files${doubt} (--no-file-prompts leaves them out)`];
}

async function scoreImages(run: Run, paths: readonly string[]): Promise<Counts> {
  const { service, prompts, demands, out, listing, deeds, signal } = run;
  const { policy } = demands;
  const progress = startProgress(paths.length, 'scoring');
  const counts: Counts = { finished: 0, failed: [], carried: 0, uncertain: 0 };
  const onResult = async (index: number, result: ScoreResult) => {
    const path = paths[index]!;
    count(counts, result);
    progress.update(counts.finished);
    listing.add(index, { ...result, notes: [...result.notes, ...prompts.notesOn(path)] });
    await out.ready(signal);
    await deeds.perform(path, result);
  };
  const itemAt = (index: number) => fileItem(paths[index]!, prompts.of(paths[index]!));
  try {
    await scoreAll(service, { count: paths.length, itemAt, policy, signal, onResult });
  } finally {
    progress.stop();
  }
  return counts;
}

/** What an earlier run scored and left in its place. */
async function moveEarlier({ earlier, deeds, signal }: Run): Promise<void> {
  for (const { path, result } of earlier.rejected) {
    if (signal.aborted) return;
    await deeds.performLate(path, result);
  }
}

/** How far a run came that was stopped. */
interface Stop {
  after: number;
  of: number;
}

/** Where a stopped run has left what is done, and how it can go on. */
function stopNote({ after, of }: Stop, where: string | null, resumable: boolean): string {
  const note = `stopped after ${after} of ${of}`;
  if (where === null) return note;
  return `${note}; what is done is in ${where}${resumable ? ', and --resume goes on from there' : ''}`;
}

/** Scores, prints, and does to the files what was asked for; closes the output. @returns the exit code */
export async function perform(run: Run): Promise<number> {
  try {
    return await scoreAndPrint(run);
  } finally {
    run.out.abandon();
  }
}

/** Nobody reads the results any more; what was done to the files is told all the same. */
async function leave({ deeds }: Run): Promise<number> {
  await deeds.end([]);
  tell(deeds.notes);
  return EXIT.ok;
}

async function scoreAndPrint(run: Run): Promise<number> {
  const { expanded, prompts, earlier, out, listing, deeds, signal } = run;
  const paths = expanded.paths.filter((path) => !earlier.done.has(resolve(path)));
  for (const { name, error } of expanded.failures)
    listing.first(failedResult({ id: name, source: name, prompt: null }, null, error));
  await moveEarlier(run);
  const counts = await scoreImages(run, paths);
  if (signal.reason === READER_LEFT) return leave(run);
  const left = paths.length - counts.finished;
  const stop = left > 0 ? { after: expanded.paths.length - left, of: expanded.paths.length } : null;
  const skipped = expanded.skipped.counts();
  const carried = carriedNote(counts);
  const notes = [...run.notes, ...carried];
  const listed = listing.end({ skipped, prompts: prompts.tally, stopped: stop, notes });
  const where = await out.close(stop === null);
  const undone = await deeds.end(stop ? [] : listed.shown);
  tell([...carried, ...listed.notes, ...deeds.notes]);
  if (stop) tell([stopNote(stop, where, run.resumable)]);
  if (stop) return EXIT.stopped;
  const unfound = expanded.failures.map(({ name, error }) => failure(name, toAssayError(error)));
  const failed = [...unfound, ...earlier.failed, ...counts.failed].sort(inNaturalOrder);
  if (out.name !== null) tell([summary(expanded.paths.length + unfound.length, failed, out.name)]);
  return undone > 0 || failed.length > 0 ? EXIT.someFailed : EXIT.ok;
}
