/** What watching needs from the rest of Assay; whoever starts it puts them in. */
import type { AssayError } from '../../errors.ts';
import type { FileAction, Ledger as FullLedger, Host, HostFile, OutputRow } from '../../host.ts';
import type { Decision, ScoreItem, ScoreResult } from '../../types.ts';

/** What is known of the host's files; putting them back is another command's work. */
export type Ledger = Omit<FullLedger, 'restored'>;

/** The host's output folder. Throws PATH_OUTSIDE, FILE_NOT_FOUND, FILE_UNREADABLE, OUTPUT_DIR_UNUSABLE. */
export interface Folder {
  locate(file: HostFile): Promise<string>;
  read(file: HostFile): Promise<Uint8Array>;
  /** Images changed in that time, in Unix milliseconds; `young` when some were changed later. */
  scan(since: number, until: number): Promise<{ found: (HostFile & { mtimeMs: number })[]; young: boolean }>;
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
  /** Handles what the host holds now, then ends. */
  once: boolean;
  onImage(image: WatchedImage): void;
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
  /** Longest wait, once told to stop, for what is in work. */
  drainMs: number;
}

export const PACE: Pace = { pollMs: 2000, retryMs: 1000, actionRetryMs: 30_000, drainMs: 10_000 };
