/** What watching needs from the rest of Assay; whoever starts it puts them in. */
import type { AssayError } from '../../errors/error.ts';
import type { FileAction, Ledger as FullLedger, Host, HostFile, OutputRow } from '../../host.ts';
import type { Decision } from '../../types/policy.ts';
import type { ScoreItem } from '../../types/request.ts';
import type { ScoreResult } from '../../types/result.ts';
import type { LeaveReason } from './choice.ts';

/** What is known of the host's files; putting them back is another command's work. */
export type Ledger = Omit<FullLedger, 'restored'>;

/** A file of the output folder. */
export interface FoundFile extends HostFile {
  /** Unix milliseconds of the last change. */
  mtimeMs: number;
  /** Why it is no still image, for people. */
  moving?: string;
}

/** The host's output folder. Throws PATH_OUTSIDE, FILE_NOT_FOUND, FILE_UNREADABLE, OUTPUT_DIR_UNUSABLE. */
export interface Folder {
  locate(file: HostFile): Promise<string>;
  read(file: HostFile): Promise<Uint8Array>;
  /** Images dated in that time and touched since `from`, in Unix milliseconds; `young` when some are still in the writing. */
  scan(since: number, until: number, from?: number): Promise<{ found: FoundFile[]; young: boolean }>;
}

/** Where rejected images go. */
export interface Bin {
  holds(output: OutputRow, result: ScoreResult): Promise<boolean>;
  /** Idempotent. @throws REJECT_BIN_UNUSABLE */
  put(path: string, output: OutputRow, result: ScoreResult): Promise<void>;
}

/** Scores in files. Both make the same of the same file. */
export interface Tagger {
  /** The file with the score in it. @throws METADATA_UNSUPPORTED, METADATA_UNWRITABLE, IMAGE_CORRUPT */
  tagged(bytes: Uint8Array, output: OutputRow, result: ScoreResult): Uint8Array;
  /** Replaces the file by that, if it still has the digest of the row. */
  write(path: string, output: OutputRow, result: ScoreResult): Promise<void>;
}

export interface WatchParts {
  host: Host;
  ledger: Ledger;
  /** One image. A signal that aborts ends it. */
  score(item: ScoreItem, signal: AbortSignal): Promise<ScoreResult>;
  actions: Record<Decision, FileAction>;
  /** The folder and what changes files in it; absent when the folder was not allowed. */
  files?: { folder: Folder; bin: Bin; tagger: Tagger } | undefined;
  /** Leaves previews out. */
  outputsOnly: boolean;
  /** Why an image is left alone; null for one that is judged. */
  leaves: LeaveReason;
  /** Handles what the host holds now, then ends. */
  once: boolean;
  onImage(image: WatchedImage): void;
  /** A file was scored before, and is not judged again; told as often as it is met. */
  onKnown?: ((output: OutputRow) => void) | undefined;
  /** A file was left alone. */
  onLeft(name: string, reason: string): void;
  /** Something went wrong and is survived. */
  onTrouble(error: AssayError): void;
  pace?: Partial<Pace> | undefined;
}

/** An image that was recorded, or whose action was tried again. */
export interface WatchedImage {
  output: OutputRow;
  result: ScoreResult;
}

/** Times in milliseconds. */
export interface Pace {
  /** Longest time without a look at the host's history. */
  pollMs: number;
  /** Pause before something is tried again. */
  retryMs: number;
  /** Pause before an action is tried again. */
  actionRetryMs: number;
  /** Longest time without a look into the folder, for files that no history tells of. */
  folderMs: number;
  /** Shortest time between two looks into it. */
  folderGapMs: number;
  /** Longest wait, once told to stop, for what is in work. */
  drainMs: number;
}

export const PACE: Pace = {
  pollMs: 2000,
  retryMs: 1000,
  actionRetryMs: 30_000,
  folderMs: 60_000,
  folderGapMs: 5000,
  drainMs: 10_000,
};
