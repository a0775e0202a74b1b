/** What a tool is: a row with a schema, and what it does. */
import type { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Runtime } from '../../runtime.ts';
import type { Folders } from './folders.ts';
import type { Jobs } from './jobs.ts';
import type { Listings } from './listings.ts';

/** What all tools work with. */
export interface Surroundings {
  config: Config;
  folders: Folders;
  listings: Listings;
  jobs: Jobs;
  /** Opened with the first call that needs it; no scorer is loaded before the first image. */
  runtime(): Runtime;
}

export interface Call extends Surroundings {
  /** Aborts when the agent takes the call back, or the server ends. */
  signal: AbortSignal;
  /** Tells the agent how far it is, where it wants to know. */
  progress(done: number, total: number): void;
}

/** A picture small enough for a model's context. */
export interface Picture {
  /** Base64. */
  data: string;
  mimeType: string;
}

export interface Answer {
  /** Becomes JSON. */
  body: object;
  pictures?: Picture[];
}

export interface Tool<Input = unknown> {
  /** Name in the protocol; never changes. */
  name: string;
  title: string;
  /** For the model: when to use it, and what comes back. */
  description: string;
  input: z.ZodType<Input>;
  /** Whether it leaves everything as it is. */
  isReadOnly: boolean;
  /** @throws AssayError, which becomes a tool error with its code */
  run(input: Input, call: Call): Promise<Answer>;
}

/** Rows of different inputs in one table. */
export const tool = <Input>(row: Tool<Input>): Tool => row as unknown as Tool;
