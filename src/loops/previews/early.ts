/** Whoever looks at what a host shows while it samples. Nothing of it is waited for while a run is followed. */
import type { HostEvent } from '../../host.ts';
import type { Pruned, Scored, Trial } from '../study/types.ts';

export interface Early {
  /** Told of all that happens in the run of a trial. @param stop takes the run out of the host's hands, and no other one */
  see(trial: Trial, event: HostEvent, stop: () => void): void;
  /** The images of a trial are judged; the trial is told when this is done. */
  finished(trial: Trial, images: readonly Scored[], signal: AbortSignal): Promise<void>;
  /** What a trial that was stopped early has come to; null: it was not. */
  prunedOf(trial: Trial): Pruned | null;
  /** Waits for what is in work. */
  close(): Promise<void>;
}

/** What a scorer says of a preview. */
export interface Looked {
  values: Readonly<Record<string, number | null>>;
  /** Width and height in pixels. */
  size: [number, number];
  /** Hash of the weights. */
  weights: string;
}

/** Scores a preview as the image of that trial will be scored. @throws AssayError */
export type Look = (trial: Trial, bytes: Uint8Array, signal: AbortSignal) => Promise<Looked>;
