/** `assay score`: images to results, as a table or for machines. */
import { startCollector } from '../lib/collector.ts';
import type { Runtime } from '../runtime.ts';
import { type Format, type ScorerFlags, type Sort, usage } from './input/flags.ts';
import { type Expanded, expandImages, refuseStdin } from './input/images.ts';
import { openFor } from './open.ts';
import { stopSignal } from './process/stop-signal.ts';
import { type DeedFlags, openDeeds } from './score/deeds.ts';
import { demandsOf } from './score/demands.ts';
import { openListing } from './score/listing.ts';
import { onePrompt, type PromptSource, readPrompts } from './score/prompts.ts';
import { NOTHING_DONE, type ResumeOptions, resume } from './score/resume.ts';
import { perform, tell } from './score/run.ts';
import { claimOut } from './terminal/claim.ts';
import { checkOut, openOut, targetOf } from './terminal/out.ts';

export interface ScoreFlags extends ScorerFlags, DeedFlags {
  prompt?: string;
  prompts?: string;
  /** False: prompts that files carry are not looked for. */
  filePrompts?: boolean;
  format?: Format;
  out?: string;
  force?: boolean;
  resume?: boolean;
  sort?: Sort;
  top?: number;
  min?: string[];
  policy?: string;
}

/** The format that was asked for, or that the name of the file asks for. */
function formatOf({ format, out = '' }: ScoreFlags): Format {
  const ending = /\.(csv|jsonl|json)$/i.exec(out)?.[1]?.toLowerCase();
  return format ?? (ending as Format | undefined) ?? 'table';
}

/** Printed as the results come, and all of them: what another run can go on with. */
const isLineByLine = (flags: ScoreFlags): boolean => ['jsonl', 'csv'].includes(formatOf(flags));
const isChoice = ({ sort, top, min }: ScoreFlags): boolean =>
  [sort, top, min].some((flag) => flag !== undefined);

/** What is done to the files of images. @throws USAGE where one of them is the standard input */
function checkNames(names: string[], { writeMetadata, moveRejects, copyTop }: ScoreFlags): void {
  if (writeMetadata) refuseStdin(names, '--write-metadata');
  if (moveRejects !== undefined) refuseStdin(names, '--move-rejects');
  if (copyTop !== undefined) refuseStdin(names, '--copy-top');
}

/** Flags that do not go together. @throws USAGE */
function checkFlags(flags: ScoreFlags): void {
  const { prompt, prompts, out, top, min, copyTop } = flags;
  if (prompt !== undefined && prompts !== undefined) throw usage('give --prompt or --prompts, not both');
  if (copyTop !== undefined && top === undefined && min === undefined)
    throw usage('--copy-top copies the images that are listed: say which with --top N or --min');
  if (!flags.resume) return;
  if (out === undefined || out === '-' || targetOf(out).isDevice)
    throw usage('--resume goes on with a file: name it with --out');
  if (!isLineByLine(flags))
    throw usage('--resume needs --format jsonl or csv, which are written line by line');
  if (isChoice(flags))
    throw usage('--resume cannot be used with --sort, --top or --min: the file must hold every image');
}

/** @param names folders among them are what names in a table may be relative to */
export function promptsFor(
  flags: Pick<ScoreFlags, 'prompt' | 'prompts' | 'filePrompts'>,
  { paths }: Expanded,
  names: string[],
): PromptSource {
  const otherwise = flags.filePrompts === false ? null : undefined;
  if (flags.prompts === undefined) return onePrompt(flags.prompt ?? otherwise);
  return readPrompts(flags.prompts, paths, names, otherwise);
}

/** What an earlier run has done is gathered where this one goes on. @throws USAGE */
function resumeWith(flags: ScoreFlags, rest: Omit<ResumeOptions, 'out' | 'format'>) {
  if (!flags.resume) return NOTHING_DONE;
  const { target } = targetOf(flags.out!);
  const resumed = resume({ ...rest, out: target, format: formatOf(flags) });
  if (flags.writeMetadata && resumed.done.size > 0)
    resumed.notes.push(
      '--write-metadata: scores are kept in the images that are scored now, not in those done already',
    );
  return resumed;
}

export async function score(names: string[], flags: ScoreFlags): Promise<number> {
  checkFlags(flags);
  checkNames(names, flags);
  const claim = claimOut(flags.out);
  try {
    return await scoreInto(names, flags);
  } finally {
    claim.release();
  }
}

async function scoreInto(names: string[], flags: ScoreFlags): Promise<number> {
  const writing = { force: flags.force, append: flags.resume };
  checkOut(flags.out, writing);
  const folders = [flags.moveRejects, flags.copyTop].filter((folder) => folder !== undefined);
  const expanded = expandImages(names, folders);
  const prompts = promptsFor(flags, expanded, names);
  return withRuntime(flags, async (runtime, signal) => {
    const { catalog, config } = runtime;
    const scorer = await catalog.open();
    const demands = demandsOf(flags, config.policy, scorer.manifest);
    const { paths } = expanded;
    const { policy } = demands;
    const earlier = resumeWith(flags, { scorer: scorer.stamp, policy, paths, promptOf: prompts.of });
    const notes = [
      expanded.skipped.notes(),
      prompts.notes,
      demands.notes,
      scorer.notes,
      earlier.notes,
    ].flat();
    tell(notes);
    const format = formatOf(flags);
    const deeds = await openDeeds(flags);
    const out = openOut(flags.out, writing);
    const { isShown } = demands;
    const listing = openListing(out.stream, { ...flags, format, header: !earlier.hasLines, isShown });
    const resumable = isLineByLine(flags) && !isChoice(flags);
    return perform({
      service: runtime,
      expanded,
      prompts,
      demands,
      earlier,
      out,
      listing,
      deeds,
      notes,
      resumable,
      signal,
    });
  });
}

/** Closes what was opened, however the work ends. */
export async function withRuntime(
  flags: ScorerFlags,
  work: (runtime: Runtime, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const runtime = openFor(flags);
  const { signal, release } = stopSignal();
  const collector = startCollector();
  try {
    return await work(runtime, signal);
  } finally {
    collector.stop();
    await runtime.close();
    release();
  }
}
