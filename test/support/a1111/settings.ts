/** How a fake host of the AUTOMATIC1111 family behaves. A test may change any of it while the host runs. */
import type { IncomingMessage } from 'node:http';

export type ForkName = 'a1111' | 'forge' | 'sdnext' | 'nowebui';

/** An answer in place of the host's own, no answer at all, or a connection that breaks; `cut`: in the middle of it. */
export type Fault =
  | { status: number; body?: string; headers?: Record<string, string> }
  | 'hang'
  | 'reset'
  | 'cut';

export interface Settings {
  /** `nowebui`: an AUTOMATIC1111 that is started without its web UI, so that it knows no tasks. */
  fork: ForkName;
  /** Whether it was started with --api. */
  hasApi: boolean;
  /** `user:password` that it asks for on its API. */
  login?: string;
  /** Whether the pictures carry their infotext. */
  hasTexts: boolean;
  /** Whether a grid comes first, as with save_images and several pictures. */
  hasGrid: boolean;
  /** Whether a model could be loaded. */
  hasModel: boolean;
  /** Its options and its command line, as it tells them; null: it fails to. */
  options: Record<string, unknown>;
  flags: Record<string, unknown> | null;
  sysinfo: Record<string, unknown>;
  /** Called before each step, which count from 1. */
  atStep?: (task: string, step: number) => unknown;
  /** Asked before every request; undefined lets it through. */
  fault?: (method: string, path: string, request: IncomingMessage) => Fault | undefined;
}

export const DEFAULTS: Settings = {
  fork: 'forge',
  hasApi: true,
  hasTexts: true,
  hasGrid: false,
  hasModel: true,
  options: {},
  flags: {},
  sysinfo: {},
};
