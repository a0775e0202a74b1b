/** `assay refine`: looks for a prompt that does better, and says so only when fresh seeds confirm it. */
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { startCollector } from '../lib/collector.ts';
import { readNamedFile } from '../lib/plain-file.ts';
import { REFINEMENT, type RefineFolder } from '../loops/refine/folder.ts';
import { offlineProposer } from '../loops/refine/offline.ts';
import { beginKind, holdsStudy, openKind } from '../loops/study/folder.ts';
import { findInMade } from '../prompt/made.ts';
import { openRefining, type Refining } from '../refining.ts';
import { openRuntime } from '../runtime.ts';
import type { Proposer } from '../types/proposer.ts';
import { type Start, templateOf } from './best.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { stopSignal } from './process/stop-signal.ts';
import { folderFor, planOf, type RefineFlagsOfPlan } from './refine/plan.ts';
import { type EndpointFlags, endpointOf, proposerOf } from './refine/proposer.ts';
import { createTold, type RefineFormat } from './refine/told.ts';
import { smallPicture } from './terminal/small-picture.ts';
import { type ChoiceFlags, hostOf } from './watch/options.ts';

export interface RefineFlags extends ScorerFlags, RefineFlagsOfPlan, EndpointFlags {
  out?: string;
  resume?: boolean;
  format: RefineFormat;
}

/** Those that a refinement has of its own once it has begun. */
const OWN = [
  ...(['prompt', 'input', 'by', 'images', 'rounds', 'variants'] as const),
  ...(['seeds', 'confirm', 'keepWords', 'seed'] as const),
];

const optionOf = (name: string): string => `--${name.replace(/[A-Z]/g, '-$&').toLowerCase()}`;

async function begin(
  config: Config,
  file: string | undefined,
  flags: RefineFlags,
): Promise<Start<RefineFolder>> {
  if (file === undefined) throw usage('name a workflow file, or go on with a refinement: --resume --out DIR');
  const target = hostOf(config, flags as ChoiceFlags);
  const text = readNamedFile(file).toString('utf8');
  const template = await templateOf(target, text, file);
  const host = { kind: target.kind.id, url: target.settings.url };
  const plan = planOf({ flags, template, file, text, host });
  const out = flags.out ?? folderFor(plan.begun);
  if (holdsStudy(out, REFINEMENT)) throw fail('STUDY_EXISTS', { folder: out, what: 'a refinement' });
  if (holdsStudy(out)) throw fail('STUDY_EXISTS', { folder: out, what: 'a study' });
  return { ...target, template, folder: () => beginKind(out, plan, REFINEMENT) };
}

async function goOn(
  config: Config,
  file: string | undefined,
  flags: RefineFlags,
): Promise<Start<RefineFolder>> {
  const { out } = flags;
  if (out === undefined) throw usage('--resume needs the folder of the refinement: --out DIR');
  const given = OWN.find((name) => flags[name] !== undefined);
  if (given)
    throw usage(
      `${optionOf(given)}: a refinement that is gone on with has its own; leave it out, or begin anew`,
    );
  if (file !== undefined)
    throw usage(`${file}: a refinement that is gone on with has its own workflow; leave it out`);
  if (holdsStudy(out)) throw usage(`${out} holds a study: go on with it by assay best --resume --out ${out}`);
  const folder: RefineFolder = openKind(out, REFINEMENT);
  const { workflow, host } = folder.plan;
  const target = hostOf(config, flags as ChoiceFlags, host);
  const template = await templateOf(target, workflow.text, workflow.file);
  return { ...target, template, folder: async () => folder };
}

/** Says where prompt and seed go, so that a wrong place is seen at once. */
function greet({ plan, path }: RefineFolder, url: string, proposer: Proposer): void {
  process.stderr.write(
    `assay: ${url} · prompt in ${plan.inputs.join(', ')} · seeds: ${plan.seeds.join(', ')} · proposals: ${proposer.name} · at most ${plan.spec.images} images · folder: ${path}\n`,
  );
}

async function run(
  found: Refining,
  proposer: Proposer,
  format: RefineFormat,
  signal: AbortSignal,
): Promise<number> {
  const told = createTold(found.refinement, proposer, format);
  try {
    const verdict = await found.run(told, signal);
    told.end(verdict, await found.finish(verdict));
    if (!verdict) return EXIT.stopped;
    return verdict.kind === 'stopped' ? EXIT.someFailed : EXIT.ok;
  } catch (error) {
    // What was made is shown all the same.
    if (found.refinement.spent() > 0) await found.finish(null);
    throw error;
  } finally {
    told.stop();
  }
}

/** Exit code 0 with a verdict; 3 when too much failed; 130 when Ctrl-C stopped it. */
export async function refine(file: string | undefined, flags: RefineFlags): Promise<number> {
  const config = configOf(flags, endpointOf(flags));
  tellNotes(config);
  const endpoint = proposerOf(config);
  const {
    kind,
    settings,
    template,
    folder: openIt,
  } = await (flags.resume ? goOn : begin)(config, file, flags);
  const host = await kind.create({ settings, limits: config.limits, findPrompt: findInMade });
  const { signal, release } = stopSignal();
  const collector = startCollector();
  const runtime = openRuntime({ config });
  let folder: RefineFolder | undefined;
  let found: Refining | undefined;
  try {
    for (const note of (await host.describe(signal)).notes) process.stderr.write(`assay: ${note}\n`);
    for (const note of (await runtime.catalog.open()).notes) process.stderr.write(`${note}\n`);
    folder = await openIt(runtime);
    for (const note of endpoint.notes) process.stderr.write(`assay: ${note}\n`);
    const proposer = endpoint.proposer ?? offlineProposer(folder.plan.spec.seed);
    const thumbnail = (path: string) => smallPicture(path, config);
    found = openRefining({ runtime, host, folder, template, proposer, thumbnail });
    greet(folder, host.url, proposer);
    return await run(found, proposer, flags.format, signal);
  } catch (error) {
    if (signal.aborted) return EXIT.stopped;
    throw error;
  } finally {
    found?.close();
    folder?.close();
    await Promise.all([host.close(), runtime.close()]);
    collector.stop();
    release(true);
  }
}
