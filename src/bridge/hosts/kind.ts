/**
 * What a kind of host is: a row of the table in kinds.ts. A row is read whenever Assay starts, for its settings and its
 * flags, so that it imports nothing but texts and schemas; what does the work is imported when it is asked for.
 */
import type { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Host, Template } from '../../host.ts';
import type { Log } from '../../log.ts';
import type { MadeFrom, PromptFound } from '../../types/prompt.ts';
import type { HostSettings } from './settings.ts';
import type { Tuning } from './tuning.ts';

/** The prompt of the images that arrive at a node, or that a text in the form of their host tells of. */
export type FindPrompt = (place: MadeFrom) => PromptFound;

/** What a link to a host is made with. */
export interface HostOptions<Settings extends HostSettings = HostSettings> {
  settings: Settings;
  log?: Log;
  /** `maxImageBytes`: largest file that is fetched; `maxBodyBytes`: largest answer and longest message. */
  limits?: Pick<Config['limits'], 'maxImageBytes' | 'maxBodyBytes'>;
  tuning?: Partial<Tuning>;
  /** How prompts are found in the workflows of runs; they are not looked for without it. */
  findPrompt?: FindPrompt;
}

/** Flags of `assay install`, which are the same for every kind. */
export interface InstallFlags {
  link?: boolean;
  force?: boolean;
  uninstall?: boolean;
  check?: boolean;
}

/** What an installer has done, or has found. */
export interface Installed {
  /** For people. */
  lines: string[];
  /** False when a check found something to do. */
  isCurrent: boolean;
}

/** Puts what Assay brings into a host, updates it, and takes it out again. */
export interface Installer {
  /** What it does, and what the folder is that it takes: for the help of the command. */
  description: string;
  folder: string;
  /** @throws INSTALL_TARGET, INSTALL_CONFLICT */
  run(folder: string, flags: InstallFlags): Promise<Installed>;
}

export interface HostKind<Settings extends HostSettings = HostSettings> {
  /** Its key in the config, the beginning of its flags, its word after `assay install`. Lower-case letters and digits. */
  id: string;
  /** For people. */
  title: string;
  /** Where it is unless told otherwise. */
  url: string;
  /** Its part of the config. */
  settings: z.ZodType<Settings>;
  /** Does not connect yet. @throws USAGE when the address is none */
  create(options: HostOptions<Settings>): Promise<Host>;
  /** What a workflow file of this host is, for people. */
  workflow?: string;
  /**
   * Reads the text of a workflow file in the host's own format.
   *
   * @param source what errors call it
   * @throws WORKFLOW_INVALID, WORKFLOW_UI_FORMAT, REQUEST_INVALID
   */
  template?(text: string, source: string): Promise<Template>;
  install?: Installer;
  /** Files that `npm run generate` writes for the nodes, or the panel, in this host: their definitions, and the page about them. */
  nodes?: { form: 'nodes' | 'panel'; definitions: string; page: string };
}
