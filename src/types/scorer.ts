/** What is known of the scorers that are installed. */
import type { Aspect } from './aspect.ts';
import type { ItemError } from './result.ts';

/** Which weights made a score: enough to reproduce it. */
export interface ScorerStamp {
  id: string;
  version: string;
  variant: string;
  /** `sha256:<hex>` over the graph files of the variant. */
  weights: string;
  /** `sha256:<hex>` of the calibration file. */
  calibration: string;
}

/** One graph of a scorer, as it is now. */
export interface GraphState {
  name: string;
  /** False after a long idle time, too; the next image loads it again. */
  loaded: boolean;
  /** Execution provider of the last load. */
  provider: string | null;
  /** What loading it added to the memory of the process, in MB; null while it is not loaded. */
  memoryMb: number | null;
  /** What its four-bit weights were made of on the provider; absent where they stay as they are. */
  precision?: 'float16' | 'float32' | undefined;
}

/** How many graphs of a scorer have given back their memory, and how many will when their work is done. */
export interface Released {
  released: number;
  pending: number;
}

/** What is known of a loaded or loadable scorer. */
export interface ScorerInfo {
  id: string;
  version: string;
  title: string;
  license: string;
  /** `chat`: a language model elsewhere. */
  backend: 'onnx' | 'tfjs' | 'chat';
  /** Its model folder, or where its calibration is. */
  folder: string;
  default: boolean;
  loaded: boolean;
  variant: string;
  /** Execution provider in use, or the one that would be chosen. */
  provider: string;
  /** Why a preferred provider is not used; empty when it is. */
  providerNotes: string[];
  /** Why it cannot score as it is configured, or as it is now; null: it can, or will once it is loaded. */
  problem: string | null;
  /** What else is to be known of it, for people. */
  notes: string[];
  aspects: Aspect[];
  needsPrompt: boolean;
  /** Its graphs; none before its first use. */
  graphs: GraphState[];
}

/** A model folder that is left out, or a folder of them that cannot be looked into. */
export interface RefusedScorer {
  /** As its manifest says, else the name of its folder; null for a folder of model folders. */
  id: string | null;
  folder: string;
  state: 'refused';
  /** Why, and what to do about it. */
  error: ItemError & { fix: string };
}
