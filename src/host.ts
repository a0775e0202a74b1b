/** What every diffusion UI (host) is to the rest of Assay: prompts go in, runs and images come out. Types alone. */
import type { PromptFound } from './types/prompt.ts';
import type { ScoreResult } from './types/result.ts';

/** A workflow in the host's own format, checked to be one by the bridge that made it. Integers may be bigint. */
export type Workflow = Readonly<Record<string, unknown>>;

/** What an input of a workflow may be set to. Seeds may be larger than a double can hold. */
export type InputValue = string | number | boolean | bigint;

/** An input of a workflow that holds a value of its own. */
export interface WorkflowInput {
  /** As users write it: node and input, `3.seed`; the field alone where a workflow has no nodes. */
  name: string;
  /** The node it belongs to, for people: its title or class; the route where there are no nodes. */
  node: string;
  value: InputValue;
}

/** A workflow in which values are set, over and over. Made by the kind of host that knows the format. */
export interface Template {
  /** Inputs that make another image of the same words: each holds a seed. */
  readonly seeds: readonly WorkflowInput[];
  /** Inputs that hold a number of sampling steps. */
  readonly steps: readonly WorkflowInput[];
  /** Inputs that hold text. */
  readonly texts: readonly WorkflowInput[];
  /** The one that holds the prompt, where the format says which; where it does not, the graph is searched. */
  readonly prompt?: WorkflowInput;
  /** The input of that name, or the one that it is linked to. @throws INPUT_UNKNOWN, INPUT_LINKED */
  input(name: string): WorkflowInput;
  /** The workflow with these values in it, by name of the input. */
  with(values: Readonly<Record<string, InputValue>>): Workflow;
}

/** A file on the host, by the host's own name for it. Nothing here is safe to use as a path unchecked. */
export interface HostFile {
  filename: string;
  /** Folder inside the host's folder of that type; empty at its top. */
  subfolder: string;
  /** `temp` files disappear when the host restarts; those that are in an answer alone, when this process ends. */
  type: 'output' | 'temp' | 'input';
}

/** The node that saved an image, as far as the workflow tells. */
export interface Maker {
  /** Name of its class. */
  type: string | null;
  title: string | null;
  /** What its images are when they are no pictures: `a mask`, `a depth map`; null for pictures. */
  map: string | null;
}

/** A file of a run that is no image to judge. */
export interface LeftFile {
  /** In a place that no host of this kind has: as if it lay in the output folder, which may hold it all the same. */
  file: HostFile;
  /** For people. */
  name: string;
  /** Id of the node that told of it. */
  node: string;
  /** What it is, for people: `a video`. */
  reason: string;
}

/** An image of a run. */
export interface RunImage extends HostFile {
  /** Id of the node that made it: text, may hold colons and dots. */
  node: string;
  /** Whether the host answered from its cache: an older file, named again. */
  replayed: boolean;
  maker: Maker;
  /** As found in the workflow; null when it was not looked for. */
  prompt: PromptFound | null;
}

/** A run that has ended, as the host's history tells it. */
export interface HostRun {
  id: string;
  status: 'success' | 'error' | 'interrupted';
  /** In the order of the history; also those made before an error. */
  images: RunImage[];
  /** Files that it told of beside these. */
  left: LeftFile[];
  /** The host's words when the status is `error`. */
  error: string | null;
  /** Unix milliseconds on the host's clock; null when the host does not tell. */
  endedAt: number | null;
}

/** What a policy asks to do with an image's file. `move`: tag it, then move it to the reject bin. */
export type FileAction = 'keep' | 'tag' | 'move';

/** A file of a host that was scored, as the ledger keeps it. */
export interface OutputRow extends HostFile {
  id: number;
  /** The run that made it; null when it was found in the output folder. */
  promptId: string | null;
  node: string | null;
  /** Of the file as it is now; null when it could not be fetched. */
  sha256: string | null;
  /** Of the file as a tag that is being written makes it. */
  nextSha256: string | null;
  /** Unix milliseconds when it was fetched: what is changed later is another image. */
  at: number;
  action: FileAction;
  state: 'pending' | 'done' | 'failed';
  /** Why the action is not done, or why the file was left alone, for people. */
  reason: string | null;
  /** Unix milliseconds when a person took it back from the reject bin; null when nobody did. */
  restoredAt: number | null;
}

/** What is recorded of a file beside its verdict. */
export type NewOutput = HostFile & Pick<OutputRow, 'promptId' | 'node' | 'at' | 'action'>;

/** How an action ended. */
export type Settled = Pick<OutputRow, 'state' | 'reason' | 'sha256'>;

/** A file whose action is still to be done. */
export interface PendingAction {
  output: OutputRow;
  result: ScoreResult;
}

/** Every call is one transaction, and throws STORE_UNAVAILABLE while the history's file cannot be used. */
export interface Ledger {
  /** Unix milliseconds when watching this host began: now, when it never did. */
  begin(): number;
  find(file: HostFile): OutputRow | undefined;
  /**
   * Writes a verdict and what is known of its file. `pending` when the action is more than to keep it.
   *
   * @returns null when that image of that file is there already: nothing was written
   */
  record(result: ScoreResult, output: NewOutput, client: string): OutputRow | null;
  /** Notes that a file was not judged, and why, so that the folder's listing does not bring it up. */
  leave(file: HostFile, run: Pick<OutputRow, 'promptId' | 'node' | 'at'>, reason: string): void;
  /** Files whose action is to be done, in the order of their ids, those above `after`. */
  pending(after: number, limit: number): PendingAction[];
  /** Notes the run that made a file which was found in the folder, or which names it once more. */
  adopt(id: number, run: Pick<OutputRow, 'promptId' | 'node'>): void;
  /** Notes what a tag makes of a file, before it is written. */
  expect(id: number, sha256: string): void;
  settle(id: number, settled: Settled): void;
  /** Notes that a file was put back from the reject bin, so that it is left alone from now on. */
  restored(file: HostFile, sha256: string): void;
}

/** Why the host dropped a part of a workflow. */
export interface NodeFault {
  node: string;
  nodeType: string;
  message: string;
}

export interface Submission {
  id: string;
  /** Not empty: the host took the workflow in part, without the outputs that depend on these nodes. */
  faults: NodeFault[];
}

/** What happens in a run that is followed. Only the end is certain: the rest comes by a channel that may be cut. */
export type HostEvent =
  | { kind: 'started'; id: string }
  | { kind: 'node'; id: string; node: string }
  | { kind: 'progress'; id: string; node: string; value: number; max: number }
  | { kind: 'preview'; id: string; node: string | null; bytes: Uint8Array }
  | { kind: 'images'; id: string; node: string; files: HostFile[] }
  /** The host does not answer, and is waited for: told once each time. */
  | { kind: 'away'; id: string; error: Error }
  | { kind: 'ended'; id: string; run: HostRun };

export interface HostInfo {
  kind: string;
  /** Null when the host does not tell. */
  version: string | null;
  /** How it makes previews while it samples, in its own words; null or absent where it does not tell. */
  previews?: string | null;
  /** What is unusual about it, for people: a version that was not tried, a missing feature. */
  notes: string[];
  /** Routes that it has of those that are used where it has them; absent where all of its kind have the same. */
  routes?: readonly string[];
}

/** The folders that a host writes to, by its own word: paths as it sees them, so perhaps not ours. */
export interface ToldFolders {
  /** The deepest folder that holds them all, absolute; null when it names them relative to one that it does not tell. */
  root: string | null;
  /** Those that images go to. */
  images: readonly string[];
}

/** `quiet`: nothing hints at anything new; `back`: it was away, so that its history may have begun anew. */
export type HostChange = 'changed' | 'quiet' | 'back';

/** Troubles that were survived, since the start. */
export interface HostWarnings {
  /** Messages that could not be read, or were cut short. */
  malformedFrames: number;
  /** Messages of a kind that is not known. */
  unknownFrames: number;
  /** Times the live channel was lost or went deaf. */
  reconnects: number;
  /** Runs whose history is larger than an answer may be; their files are found in the output folder alone. */
  tooLarge: number;
}

/**
 * A diffusion UI. Every method ends when its signal aborts, with the abort's reason, and throws HOST_UNREACHABLE,
 * HOST_DENIED, HOST_UNKNOWN, HOST_API_OFF or HOST_FAILED where the host does not play along.
 */
export interface Host {
  readonly url: string;
  readonly warnings: Readonly<HostWarnings>;
  /** Whether a run waits or goes on, as it was last heard; false while nothing is heard. Absent: it is never told. */
  readonly isBusy?: boolean;
  /**
   * Where what it has made is told, whoever asked for it: in its history (also when absent), or in its output folder
   * alone. Of the latter kind `runs` tells those that this host object submitted.
   */
  readonly truth?: 'history' | 'folder';
  /** Makes sure that it is this kind of host. */
  describe(signal: AbortSignal): Promise<HostInfo>;
  /**
   * Queues a workflow.
   *
   * @throws WORKFLOW_INVALID, WORKFLOW_UI_FORMAT, REQUEST_INVALID, WORKFLOW_REJECTED
   */
  submit(workflow: Workflow, signal: AbortSignal): Promise<Submission>;
  /**
   * Events of a run that this host object submitted, the last one `ended`. Ends also when the live channel is dead.
   *
   * @throws PROMPT_LOST when the host knows the run no longer; WORKFLOW_REJECTED when it was refused only once its turn
   * had come
   */
  follow(id: string, signal: AbortSignal): AsyncIterable<HostEvent>;
  /**
   * Takes one run out of the queue, or interrupts it when it runs; never another one. Where the host does not tell whose
   * job runs, the run goes on, and what it makes is dropped. False: it neither waits nor runs.
   */
  cancel(id: string, signal: AbortSignal): Promise<boolean>;
  /** The newest ended runs, oldest of them first, fewer where they are large; all of them when `newest` is absent. */
  runs(signal: AbortSignal, newest?: number): Promise<HostRun[]>;
  /** Ids of runs that wait or run now, of every client. */
  queued(signal: AbortSignal): Promise<string[]>;
  /**
   * Yields whenever there may be new runs or files: at a hint of the host, and at the latest after `pollMs`. While the
   * host is away it yields nothing. Never throws for a host that is away.
   */
  changes(pollMs: number, signal: AbortSignal): AsyncIterable<HostChange>;
  /** Where it writes to; null when it does not tell. */
  folders?(signal: AbortSignal): Promise<ToldFolders | null>;
  /** Why a file of its output folder is no image to judge, by its name alone; null for one that may be. */
  leaves?(file: HostFile): string | null;
  /** Bytes of a file as the host keeps it, or as its answer held it. @throws IMAGE_GONE, IMAGE_TOO_HEAVY */
  fetchFile(file: HostFile, signal: AbortSignal): Promise<Uint8Array>;
  /** Closes the live channel. */
  close(): Promise<void>;
}
