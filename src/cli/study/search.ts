/** A study on a host, run and told: what `assay best` and `assay calibrate previews` do alike. */
import type { Config } from '../../config.ts';
import { fail } from '../../errors/error.ts';
import { EXIT } from '../../errors/exit.ts';
import type { Host, HostInfo, Template } from '../../host.ts';
import type { PolicyFile } from '../../loops/policy/policy-file.ts';
import { REFINEMENT } from '../../loops/refine/folder.ts';
import {
  beginFolder,
  holdsStudy,
  openFolder,
  type Plan,
  type StudyFolder,
} from '../../loops/study/folder.ts';
import type { Study } from '../../loops/study/study.ts';
import type { Runtime } from '../../runtime.ts';
import { holdStudy, openSearch } from '../../search.ts';
import { promptWords } from '../best/prompt.ts';
import { type BestFormat, createTold, tallyOf } from '../best/told.ts';
import { type ScorerFlags, usage } from '../input/flags.ts';
import { smallPicture } from '../terminal/small-picture.ts';
import { fitting } from './previews.ts';
import type { Held, Session, Start } from './session.ts';
import {
  folderAgain,
  freeFolder,
  givenAgain,
  type SearchKind,
  type StartFlags,
  sameScorer,
  scorerNow,
} from './start.ts';

/** @param planFor the whole plan, once the host has answered */
export function newStudy(
  start: Pick<Start<StudyFolder>, 'target' | 'template'>,
  flags: StartFlags,
  plan: Plan,
  command: string,
  planFor: (runtime: Runtime, info: HostInfo) => Plan,
): Start<StudyFolder> {
  const out = freeFolder(flags, plan.begun, command);
  return {
    ...start,
    async open(runtime, info) {
      const whole = { ...planFor(runtime, info), scorer: scorerNow(runtime) };
      const folder = await beginFolder(out, fitting(whole, start.template, runtime, info));
      return { folder, hold: holdStudy(out) };
    },
  };
}

/** @throws USAGE, STUDY_MISSING, STUDY_HELD, STUDY_DAMAGED, STUDY_VERSION */
export async function studyAgain(
  config: Config,
  file: string | undefined,
  flags: StartFlags & ScorerFlags,
  kind: SearchKind,
): Promise<Start<StudyFolder>> {
  const out = folderAgain(file, flags, kind);
  if (holdsStudy(out, REFINEMENT))
    throw usage(`${out} holds a refinement: go on with it by assay refine --resume --out ${out}`);
  if (!holdsStudy(out)) throw fail('STUDY_MISSING', { folder: out });
  // Before it is read: another process may be writing.
  const hold = holdStudy(out);
  const folder = openFolder(out);
  const again = await givenAgain(config, flags, folder.plan);
  const { template } = again;
  return {
    ...again,
    async open(runtime, info): Promise<Held<StudyFolder>> {
      sameScorer(folder.plan, runtime, kind);
      return { folder: { ...folder, plan: fitting(folder.plan, template, runtime, info) }, hold };
    },
  };
}

/** Says what is varied and judged by, so that a seed that should have stayed, or a wrong prompt, is seen at once. */
function greet({ plan, path }: StudyFolder, { template, host }: { template: Template; host: Host }): void {
  const named = (names: readonly string[]) =>
    names.map((name) => `${name} (${template.input(name).node})`).join(', ');
  const axes = Object.keys(plan.spec.axes);
  const seeds = plan.seeds.length > 0 ? named(plan.seeds) : 'none';
  process.stderr.write(
    `assay: ${host.url} · seeds: ${seeds}${axes.length > 0 ? ` · varied: ${named(axes)}` : ''} · ${promptWords(plan, template)} · folder: ${path}\n`,
  );
  if (plan.seeds.length > 1)
    process.stderr.write('assay: several seeds; --vary NODE.INPUT names one alone\n');
}

interface SearchOn extends Session<StudyFolder> {
  config: Config;
  template: Template;
  policy: PolicyFile;
  format: BestFormat;
}

export interface Searched {
  /** 0; 3 when trials failed, or nothing could be kept; 130 when Ctrl-C stopped it. */
  code: number;
  study: Study;
}

export async function searchOn(parts: SearchOn): Promise<Searched> {
  const { config, runtime, host, folder, template, policy, signal } = parts;
  const found = openSearch({
    ...{ runtime, host, folder, template, policy },
    thumbnail: (path) => smallPicture(path, config),
    judgedBy: promptWords(folder.plan, template),
  });
  greet(folder, { template, host });
  const { study } = found;
  const told = createTold(found, parts.format);
  try {
    const listener = { onTold: told.told, onEvent: told.event, onTrouble: told.trouble, onNote: told.note };
    const done = await found.run(listener, signal);
    told.end(await found.finish(done));
    if (signal.aborted && !done) return { code: EXIT.stopped, study };
    const isWhole = study.winners().length > 0 && tallyOf(study).failed === 0;
    return { code: isWhole ? EXIT.ok : EXIT.someFailed, study };
  } catch (error) {
    // What was made is shown all the same.
    if (study.winners().length > 0) told.end(await found.finish(null));
    throw error;
  } finally {
    told.stop();
  }
}
