/** Where prompts are looked for, and what was found. */

/** A place in a workflow: the images that arrive at an input of a node. */
export interface WorkflowRef {
  /** API format, as the host runs it; believed in nothing. */
  graph: unknown;
  /** Id of the node that shows, saves or scores the images. */
  node: string;
  /** Its input that the images come by; all of its links when absent. */
  input?: string | undefined;
}

/** Where a prompt came from, and what is to be thought of it. */
export interface PromptSource {
  /** `request`, or a place in words: `PNG chunk parameters`, `workflow node 6 (CLIPTextEncode)`; null when none was found. */
  from: string | null;
  /** The text as it stood there, when the words that were judged differ from it. */
  original: string | null;
  /** Whether the answer is sure: false for words that could be the wrong ones, and where there may be some after all. */
  certain: boolean;
  /** Why there is none, or why it is not certain. */
  reason: string | null;
}

/** A prompt that was looked for: its words, or why there are none. */
export interface PromptFound extends PromptSource {
  /** Cleaned of weights, tags and negative parts. */
  prompt: string | null;
  /** What the image was to keep away from; null when there is none, or none was looked for. */
  negative: string | null;
}

/** What a host tells of how an image was made: its graph, or the text that it writes into its files. */
export type MadeFrom = WorkflowRef | { infotext: string };

/** Where to look for a prompt: in a workflow, or in the bytes of an image file. */
export type PromptPlace = { workflow: WorkflowRef } | { image: Uint8Array };
