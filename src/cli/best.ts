/** `assay best`: makes images on a host until there are enough good ones, and keeps the best. */
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import type { Host, Template } from '../host.ts';
import { startCollector } from '../lib/collector.ts';
import { readNamedFile } from '../lib/plain-file.ts';
import { policyFrom } from '../loops/policy/policy-file.ts';
import { REFINEMENT } from '../loops/refine/folder.ts';
import { beginFolder, holdsStudy, openFolder, type StudyFolder } from '../loops/study/folder.ts';
import type { StudySpec } from '../loops/study/spec.ts';
import { findInMade } from '../prompt/made.ts';
import { expectedOf } from '../reward/expected.ts';
import { readCalibration } from '../reward/scorer.ts';
import { openRuntime, type Runtime } from '../runtime.ts';
import { holdStudy, openSearch, type Search } from '../search.ts';
import type { Aspect } from '../types/aspect.ts';
import { checkLeast } from './best/least.ts';
import { folderFor, type PlanFlags, planOf } from './best/plan.ts';
import { promptWords } from './best/prompt.ts';
import { type BestFormat, createTold, tallyOf } from './best/told.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { stopSignal } from './process/stop-signal.ts';
import { smallPicture } from './terminal/small-picture.ts';
import { type ChoiceFlags, hostOf } from './watch/options.ts';

export interface BestFlags extends ScorerFlags, PlanFlags {
  out?: string;
  resume?: boolean;
  policy?: string;
  format: BestFormat;
}

/** Those that a study has of its own once it has begun. */
const OWN = [
  'keep',
  'images',
  'minutes',
  'vary',
  'strategy',
  'least',
  'price',
  'by',
  'prompt',
  'seed',
] as const;

type Target = ReturnType<typeof hostOf>;

/** A folder that no other process runs. */
interface Held {
  folder: StudyFolder;
  hold: { release(): void };
}

/** A study that is begun or gone on with; its folder is made only once the host answers. */
export interface Start<Folder> extends Target {
  template: Template;
  folder(runtime: Runtime): Promise<Folder>;
}

/** The workflow as the host's kind reads it. @throws USAGE, WORKFLOW_INVALID, WORKFLOW_UI_FORMAT */
export function templateOf({ kind }: Target, text: string, file: string): Promise<Template> {
  if (!kind.template) throw usage(`${kind.title} cannot be driven by a workflow yet`);
  return kind.template(text, file);
}

async function begin(config: Config, file: string | undefined, flags: BestFlags): Promise<Start<Held>> {
  if (file === undefined) throw usage('name a workflow file, or go on with a study: --resume --out DIR');
  const target = hostOf(config, flags as ChoiceFlags);
  const text = readNamedFile(file).toString('utf8');
  const template = await templateOf(target, text, file);
  const host = { kind: target.kind.id, url: target.settings.url };
  const plan = planOf({ flags, template, file, text, host });
  const out = flags.out ?? folderFor(plan.begun);
  if (holdsStudy(out)) throw fail('STUDY_EXISTS', { folder: out, what: 'a study' });
  const folder = async (runtime: Runtime) => {
    const expected = expectedBy(runtime, plan.spec);
    const begun = await beginFolder(out, { ...plan, spec: { ...plan.spec, ...(expected && { expected }) } });
    return { folder: begun, hold: holdStudy(out) };
  };
  return { ...target, template, folder };
}

/** What the scorer's reference images say of the measure that is picked by. @throws MEASURE_MISSING, UNKNOWN_SCORER, USAGE */
function expectedBy({ catalog, config }: Runtime, spec: StudySpec) {
  const found = spec.pick.map((measure) => {
    const dot = measure.lastIndexOf('.');
    const model = catalog.find(dot < 0 ? config.scorer : measure.slice(0, dot));
    const of = measure.slice(dot + 1) as Aspect | 'reward';
    if (of !== 'reward' && !model.manifest.aspects[of]) {
      const reason = `the scorer ${model.manifest.id} does not predict it`;
      throw fail('MEASURE_MISSING', { measure, reason });
    }
    checkLeast(spec, of, model.manifest);
    return { model, of };
  });
  if (found.length > 1) return null;
  const [{ model, of }] = found as [(typeof found)[0]];
  return expectedOf(model.manifest, readCalibration(model), of);
}

async function goOn(config: Config, file: string | undefined, flags: BestFlags): Promise<Start<Held>> {
  const { out } = flags;
  if (out === undefined) throw usage('--resume needs the folder of the study: --out DIR');
  const given = OWN.find((name) => flags[name] !== undefined);
  if (given) throw usage(`--${given}: a study that is gone on with has its own; leave it out, or begin anew`);
  if (file !== undefined)
    throw usage(`${file}: a study that is gone on with has its own workflow; leave it out`);
  if (holdsStudy(out, REFINEMENT))
    throw usage(`${out} holds a refinement: go on with it by assay refine --resume --out ${out}`);
  if (!holdsStudy(out)) throw fail('STUDY_MISSING', { folder: out });
  // Before it is read: another process may be writing.
  const hold = holdStudy(out);
  const folder = openFolder(out);
  const { workflow, host } = folder.plan;
  const target = hostOf(config, flags as ChoiceFlags, host);
  const template = await templateOf(target, workflow.text, workflow.file);
  return { ...target, template, folder: async () => ({ folder, hold }) };
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

async function search(found: Search, format: BestFormat, signal: AbortSignal): Promise<number> {
  const told = createTold(found, format);
  try {
    const done = await found.run({ onTold: told.told, onEvent: told.event, onTrouble: told.trouble }, signal);
    told.end(await found.finish(done));
    if (signal.aborted && !done) return EXIT.stopped;
    const isWhole = found.study.winners().length > 0 && tallyOf(found.study).failed === 0;
    return isWhole ? EXIT.ok : EXIT.someFailed;
  } catch (error) {
    // What was made is shown all the same.
    if (found.study.winners().length > 0) told.end(await found.finish(null));
    throw error;
  } finally {
    told.stop();
  }
}

/** Exit code 0; 3 when trials failed, or nothing could be kept; 130 when Ctrl-C stopped it. */
export async function best(file: string | undefined, flags: BestFlags): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  const {
    kind,
    settings,
    template,
    folder: openIt,
  } = await (flags.resume ? goOn : begin)(config, file, flags);
  const policy = policyFrom(flags.policy ?? settings.policyFile, config.policy);
  const host = await kind.create({ settings, limits: config.limits, findPrompt: findInMade });
  const { signal, release } = stopSignal();
  const collector = startCollector();
  const runtime = openRuntime({ config });
  let opened: Held | undefined;
  try {
    for (const note of (await host.describe(signal)).notes) process.stderr.write(`assay: ${note}\n`);
    for (const note of (await runtime.catalog.open()).notes) process.stderr.write(`${note}\n`);
    opened = await openIt(runtime);
    const { folder } = opened;
    const found = openSearch({
      ...{ runtime, host, folder, template },
      policy,
      thumbnail: (path) => smallPicture(path, config),
      judgedBy: promptWords(folder.plan, template),
    });
    greet(folder, { template, host });
    return await search(found, flags.format, signal);
  } catch (error) {
    if (signal.aborted) return EXIT.stopped;
    throw error;
  } finally {
    opened?.folder.close();
    opened?.hold.release();
    await Promise.all([host.close(), runtime.close()]);
    collector.stop();
    release(true);
  }
}
