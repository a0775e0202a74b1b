/** What is asked: images to score. */
import type { ImageInput } from './image.ts';
import type { Policy } from './policy.ts';
import type { PromptFound, WorkflowRef } from './prompt.ts';

/** One image to score. `fetch` is called once, when its turn comes, so waiting items hold no bytes. */
export interface ScoreItem {
  /** The caller's name for the item, echoed in its result. */
  id: string;
  /** Where the image came from, for people; null when the caller did not say. */
  source: string | null;
  /** The text that the image was generated from, as given; null: it has none; absent: it is looked for. */
  prompt?: string | null | undefined;
  /** Images whose rewards are compared with each other share it. */
  group?: string | undefined;
  /** One that was found before: by a host, in its history. */
  found?: PromptFound | undefined;
  /** Where to look first when none is given. */
  workflow?: WorkflowRef | undefined;
  /** Whether to look into the file when none is given. */
  promptFromFile?: boolean | undefined;
  /** @param maxBytes of what has more, no more is taken into memory: it is refused anyway */
  fetch: (signal: AbortSignal, maxBytes?: number) => Promise<ImageInput> | ImageInput;
}

export interface ScoreRequest {
  items: ScoreItem[];
  /** Scorer id, or `id@version`; the configured default when absent. */
  scorer?: string | undefined;
  /** Thresholds for the decisions; those of the config when absent. */
  policy?: Policy | undefined;
  /** Who asks: the queue is fair between clients. */
  client: string;
  /** How long it may wait for room in a full queue; not at all when absent. */
  patienceMs?: number | undefined;
  /** What it is known by when it is sent again: then only the rest of it is scored, and nothing recorded twice. */
  key?: string | undefined;
  /** The same of each item, for whoever records. */
  once?: readonly string[] | undefined;
  /** Whether results tell the colour of the images. */
  colour?: true | undefined;
  /** Who records the results: the history, unless the caller does so together with what it knows beside them. */
  records?: 'itself' | undefined;
  signal: AbortSignal;
}

/** The same asked of several scorers: what they have in common is done once an image. */
export interface PanelRequest extends Omit<ScoreRequest, 'scorer'> {
  /** As the scorer of a `ScoreRequest`. */
  scorers: readonly (string | undefined)[];
}
