/** One image of the host: is it new, then fetch, score, record. */
import { hash } from 'node:crypto';
import { AssayError, toAssayError } from '../../errors/error.ts';
import { ERRORS, type ErrorCode } from '../../errors/table.ts';
import type { FileAction, Host, OutputRow } from '../../host.ts';
import type { ScoreResult } from '../../types/result.ts';
import { type ImageJob, nameOf } from './jobs.ts';
import type { Pace, WatchedImage, WatchParts } from './ports.ts';
import { persist, TRIES } from './retry.ts';

/** Name under which verdicts are recorded. */
const CLIENT = 'watch';
/** By how much file systems may date a file too early. */
const CLOCK_MS = 20;
/** By how much a file may be younger than the note that it was left alone: nothing of it was read. */
const NOTE_MS = 2000;

export interface Watch extends WatchParts {
  pace: Pace;
  /** Aborts when no more work is to be begun. */
  stop: AbortSignal;
  /** Aborts when what is in work is to be given up. */
  hard: AbortSignal;
}

/**
 * Whether the file is one that was not scored yet.
 *
 * A known name stands for the known image when the host answered from its cache, or when its run is the known one.
 * Else the bytes must tell: names are given anew after files were moved or deleted. What a person took back is theirs,
 * whatever they write into it, until a later run makes another image of that name.
 */
export function newness(known: OutputRow | undefined, job: ImageJob): 'new' | 'old' | 'compare' {
  if (!known) return 'new';
  if (known.restoredAt !== null && (job.endedAt ?? 0) < known.restoredAt) return 'old';
  if (!job.image) return job.mtimeMs > known.at + (wasLeft(known) ? NOTE_MS : -CLOCK_MS) ? 'compare' : 'old';
  if (wasLeft(known)) return 'new';
  return job.image.replayed || known.promptId === job.promptId ? 'old' : 'compare';
}

/** Whether it was not judged, by a choice that has changed since. */
const wasLeft = ({ sha256, reason }: OutputRow): boolean => sha256 === null && reason !== null;

/** Whether the host is there: then a connection that breaks again and again is the fault of this one file. */
const answers = (host: Host, signal: AbortSignal): Promise<boolean> =>
  host.queued(signal).then(
    () => true,
    () => false,
  );

/** Bytes of the image, or why there are none for good. */
async function obtain(watch: Watch, { image, file }: ImageJob): Promise<Uint8Array | AssayError> {
  const { host, files, hard, stop, once, pace } = watch;
  const fetch = () => (image ? host.fetchFile(image, hard) : files!.folder.read(file));
  /** A host that is away comes back, and keeps its output folder. */
  const isAway = async (failures: number) => !once && (failures < 2 * TRIES || !(await answers(host, stop)));
  try {
    return await persist(fetch, {
      pauseMs: pace.retryMs,
      signal: stop,
      again: ({ code, kind }, failures) =>
        failures < TRIES ? kind === 'retry' : code === 'HOST_UNREACHABLE' && isAway(failures),
    });
  } catch (thrown) {
    stop.throwIfAborted();
    const error = toAssayError(thrown);
    const isFinal = error.kind !== 'internal' && error.code !== 'CANCELLED';
    if (!isFinal || (once && error.code === 'HOST_UNREACHABLE')) throw error;
    return error;
  }
}

const kindOf = (code: string): string => ERRORS[code as ErrorCode]?.kind ?? 'internal';

/** Tries again what may pass, then takes the failure for the answer. */
async function judge(watch: Watch, job: ImageJob, found: Uint8Array | AssayError): Promise<ScoreResult> {
  const name = nameOf(job.file);
  const item = {
    id: name,
    source: name,
    found: job.image?.prompt ?? undefined,
    fetch: () => {
      if (found instanceof AssayError) throw found;
      return { kind: 'encoded' as const, bytes: found };
    },
  };
  let last: ScoreResult | undefined;
  const attempt = async () => {
    last = await watch.score(item, watch.hard);
    watch.hard.throwIfAborted();
    const { error } = last;
    if (error && !(found instanceof AssayError) && kindOf(error.code) === 'retry')
      throw new AssayError(error.code as ErrorCode, {});
    return last;
  };
  try {
    const again = ({ kind }: AssayError, failures: number) => kind === 'retry' && failures < TRIES;
    return await persist(attempt, { pauseMs: watch.pace.retryMs, signal: watch.stop, again });
  } catch (error) {
    watch.stop.throwIfAborted();
    if (last && toAssayError(error).kind === 'retry') return last;
    throw error;
  }
}

/** The history is waited for, however long it takes: what it does not hold would be scored again. */
const patiently = <T>(watch: Watch, work: () => T): Promise<T> =>
  persist(work, {
    pauseMs: watch.pace.retryMs,
    signal: watch.stop,
    again(error) {
      const isPassing = error.code === 'STORE_UNAVAILABLE';
      if (isPassing) watch.onTrouble(error);
      return isPassing;
    },
  });

/** A file that failed, or that a host deletes by itself, is left alone. */
const actionFor = ({ actions, files }: Watch, job: ImageJob, result: ScoreResult): FileAction =>
  files && result.decision && !result.error && job.file.type === 'output' ? actions[result.decision] : 'keep';

/** What was moved by us and is gone is no new image under an old name. */
const isOurs = (known: OutputRow | undefined, found: Uint8Array | AssayError): boolean =>
  found instanceof AssayError && known?.action === 'move' && known.state === 'done';

async function isKnown(
  watch: Watch,
  job: ImageJob,
  known: OutputRow | undefined,
  found: Uint8Array | AssayError,
): Promise<boolean> {
  // The folder was only looked at: a file that is gone from it was not asked for by anyone.
  if (!job.image && found instanceof AssayError && found.code === 'FILE_NOT_FOUND') return true;
  if (!known) return false;
  const same =
    !(found instanceof AssayError) && [known.sha256, known.nextSha256].includes(hash('sha256', found));
  if (!same && !isOurs(known, found)) return false;
  if (job.image)
    await patiently(watch, () =>
      watch.ledger.adopt(known.id, { promptId: job.promptId, node: job.image!.node }),
    );
  return true;
}

function pass({ onKnown }: Watch, known: OutputRow | undefined): null {
  if (known && !wasLeft(known)) onKnown?.(known);
  return null;
}

/**
 * Handles one image; null when it was scored before.
 *
 * @throws CANCELLED, HOST_UNREACHABLE when it is not waited for, errors of the setup, INTERNAL; nothing is recorded then
 */
export async function handleImage(watch: Watch, job: ImageJob): Promise<WatchedImage | null> {
  const { ledger } = watch;
  const known = await patiently(watch, () => ledger.find(job.file));
  if (newness(known, job) === 'old') return pass(watch, known);
  const at = Date.now();
  const found = await obtain(watch, job);
  // No fault of this image: it is there again when its folder is.
  if (found instanceof AssayError && found.kind === 'setup') throw found;
  if (await isKnown(watch, job, known, found)) return pass(watch, known);
  const result = await judge(watch, job, found);
  const action = actionFor(watch, job, result);
  const output = { ...job.file, promptId: job.promptId, node: job.image?.node ?? null, at, action };
  const row = await patiently(watch, () => ledger.record(result, output, CLIENT));
  return row && { output: row, result };
}
