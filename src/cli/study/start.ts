/** How a search on a host begins: with a workflow and flags, or with the folder of one that is gone on with. */
import { basename } from 'node:path';
import type { z } from 'zod';
import type { Config } from '../../config.ts';
import { fail } from '../../errors/error.ts';
import type { Template } from '../../host.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import { version } from '../../lib/version.ts';
import { REFINEMENT } from '../../loops/refine/folder.ts';
import { type begunSchema, holdsStudy } from '../../loops/study/folder.ts';
import type { Runtime } from '../../runtime.ts';
import { type ScorerFlags, usage } from '../input/flags.ts';
import { type ChoiceFlags, hostOf } from '../watch/options.ts';

export interface StartFlags {
  out?: string;
  resume?: boolean;
}

/** What a search was begun with. */
type Begun = Pick<z.output<typeof begunSchema>, 'host' | 'workflow' | 'scorer'>;

export type Target = ReturnType<typeof hostOf>;

/** What plans are made of. */
export interface Given<Flags> {
  flags: Flags;
  target: Target;
  template: Template;
  file: string;
  text: string;
}

/** What a search of its kind has of its own. */
export interface SearchKind {
  /** For people. */
  noun: string;
  /** Flags that one has of its own once it has begun. */
  own: readonly string[];
}

const optionOf = (name: string): string => `--${name.replace(/[A-Z]/g, '-$&').toLowerCase()}`;

/** The workflow as the host's kind reads it. @throws USAGE, WORKFLOW_INVALID, WORKFLOW_UI_FORMAT */
function templateOf({ kind }: Target, text: string, file: string): Promise<Template> {
  if (!kind.template) throw usage(`${kind.title} cannot be driven by a workflow yet`);
  return kind.template(text, file);
}

/** @throws USAGE, FILE_NOT_FOUND, FILE_UNREADABLE, WORKFLOW_INVALID, WORKFLOW_UI_FORMAT */
export async function givenBy<Flags extends StartFlags & object>(
  config: Config,
  file: string | undefined,
  flags: Flags,
  { noun }: SearchKind,
): Promise<Given<Flags>> {
  if (file === undefined) throw usage(`name a workflow file, or go on with a ${noun}: --resume --out DIR`);
  const target = hostOf(config, flags as ChoiceFlags);
  const text = readNamedFile(file).toString('utf8');
  return { flags, target, template: await templateOf(target, text, file), file, text };
}

/** What every plan begins with. */
export const planHead = ({ target: { kind, settings }, file, text }: Given<object>) => ({
  ...{ version: 1 as const, assay: version, begun: new Date().toISOString() },
  host: { kind: kind.id, url: settings.url },
  workflow: { file: basename(file), text },
});

/** The folder of a new search: the one that is named, or one of its own. @throws STUDY_EXISTS */
export function freeFolder({ out }: StartFlags, begun: string, command: string): string {
  const folder = out ?? `assay-${command}/${begun.slice(0, 19).replaceAll(':', '-')}`;
  if (holdsStudy(folder, REFINEMENT)) throw fail('STUDY_EXISTS', { folder, what: 'a refinement' });
  if (holdsStudy(folder)) throw fail('STUDY_EXISTS', { folder, what: 'a study' });
  return folder;
}

/** The folder of a search that is gone on with. @throws USAGE */
export function folderAgain(
  file: string | undefined,
  flags: StartFlags & object,
  { noun, own }: SearchKind,
): string {
  if (flags.out === undefined) throw usage(`--resume needs the folder of the ${noun}: --out DIR`);
  const given = own.find((name) => (flags as Record<string, unknown>)[name] !== undefined);
  if (given !== undefined)
    throw usage(
      `${optionOf(given)}: a ${noun} that is gone on with has its own; leave it out, or begin anew`,
    );
  if (file !== undefined)
    throw usage(`${file}: a ${noun} that is gone on with has its own workflow; leave it out`);
  return flags.out;
}

/** Host, workflow and scorer of a search that is gone on with; a scorer that the flags name is compared by `sameScorer`. @throws as `givenBy` */
export async function givenAgain(
  config: Config,
  flags: ScorerFlags,
  { host, workflow, scorer }: Begun,
): Promise<{ target: Target; template: Template; scorer?: string }> {
  const target = hostOf(config, flags as ChoiceFlags, host);
  const template = await templateOf(target, workflow.text, workflow.file);
  return { target, template, ...(scorer !== undefined && flags.scorer === undefined && { scorer }) };
}

/** The scorer that judges, as `id@version`. @throws UNKNOWN_SCORER */
export function scorerNow({ catalog, config }: Runtime): string {
  const { id, version } = catalog.find(config.scorer).manifest;
  return `${id}@${version}`;
}

/** Figures of two scorers are not compared. @throws USAGE, UNKNOWN_SCORER */
export function sameScorer({ scorer: before }: Begun, runtime: Runtime, { noun }: SearchKind): void {
  const now = scorerNow(runtime);
  if (before === undefined || before === now) return;
  throw usage(
    `--scorer ${now}: a ${noun} that is gone on with has its own, ${before}; leave it out, or begin anew`,
  );
}
