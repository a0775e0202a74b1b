/** `assay refine`: looks for a prompt that does better, and says so only when fresh seeds confirm it. */
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { REFINEMENT, type RefineFolder } from '../loops/refine/folder.ts';
import { offlineProposer } from '../loops/refine/offline.ts';
import { beginKind, holdsStudy, openKind } from '../loops/study/folder.ts';
import { openRefining, type Refining } from '../refining.ts';
import { holdStudy } from '../search.ts';
import type { Proposer } from '../types/proposer.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { planOf, type RefineFlagsOfPlan } from './refine/plan.ts';
import { type EndpointFlags, endpointOf, proposerOf } from './refine/proposer.ts';
import { createTold, type RefineFormat } from './refine/told.ts';
import { onHost, type Start } from './study/session.ts';
import {
  folderAgain,
  freeFolder,
  givenAgain,
  givenBy,
  type StartFlags,
  sameScorer,
  scorerNow,
} from './study/start.ts';
import { smallPicture } from './terminal/small-picture.ts';

export interface RefineFlags extends ScorerFlags, RefineFlagsOfPlan, EndpointFlags, StartFlags {
  format: RefineFormat;
}

const KIND = {
  noun: 'refinement',
  own: [
    ...['prompt', 'input', 'by', 'images', 'rounds', 'variants'],
    ...['seeds', 'confirm', 'keepWords', 'seed'],
  ],
};

async function begin(
  config: Config,
  file: string | undefined,
  flags: RefineFlags,
  proposer: Proposer | null,
): Promise<Start<RefineFolder>> {
  const given = await givenBy(config, file, flags, KIND);
  const { url, model } = config.endpoint;
  const plan = {
    ...planOf(given),
    ...(url !== undefined && model !== undefined && { endpoint: { url, model } }),
  };
  const out = freeFolder(flags, plan.begun, 'refine');
  return {
    ...given,
    async open(runtime, _, signal) {
      // Proposals are asked for once the original's images are made: that would be late for a wrong address.
      await proposer?.check?.(signal);
      const folder: RefineFolder = await beginKind(out, { ...plan, scorer: scorerNow(runtime) }, REFINEMENT);
      return { folder, hold: holdStudy(out) };
    },
  };
}

async function goOn(
  config: Config,
  file: string | undefined,
  flags: RefineFlags,
): Promise<Start<RefineFolder>> {
  const out = folderAgain(file, flags, KIND);
  if (holdsStudy(out)) throw usage(`${out} holds a study: go on with it by assay best --resume --out ${out}`);
  if (!holdsStudy(out, REFINEMENT)) throw fail('STUDY_MISSING', { folder: out });
  const hold = holdStudy(out);
  const folder: RefineFolder = openKind(out, REFINEMENT);
  return {
    ...(await givenAgain(config, flags, folder.plan)),
    async open(runtime) {
      sameScorer(folder.plan, runtime, KIND);
      return { folder, hold };
    },
  };
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
  const given = proposerOf(config);
  const start = flags.resume
    ? await goOn(config, file, flags)
    : await begin(config, file, flags, given.proposer);
  return onHost(config, start, async ({ runtime, host, folder, signal }) => {
    const own = given.proposer ? undefined : folder.plan.endpoint;
    const endpoint = own ? proposerOf({ ...config, endpoint: { ...config.endpoint, ...own } }) : given;
    for (const note of endpoint.notes) process.stderr.write(`assay: ${note}\n`);
    const proposer = endpoint.proposer ?? offlineProposer(folder.plan.spec.seed);
    const thumbnail = (path: string) => smallPicture(path, config);
    const found = openRefining({ runtime, host, folder, template: start.template, proposer, thumbnail });
    greet(folder, host.url, proposer);
    return run(found, proposer, flags.format, signal);
  });
}
