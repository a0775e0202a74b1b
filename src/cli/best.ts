/** `assay best`: makes images on a host until there are enough good ones, and keeps the best. */
import type { Config } from '../config.ts';
import { fail } from '../errors/error.ts';
import { policyFileSchema, policyFrom, policyOf, readPolicyFile } from '../loops/policy/policy-file.ts';
import type { StudyFolder } from '../loops/study/folder.ts';
import type { StudySpec } from '../loops/study/spec.ts';
import { expectedOf } from '../reward/expected.ts';
import { readCalibration } from '../reward/scorer.ts';
import type { Runtime } from '../runtime.ts';
import type { Aspect } from '../types/aspect.ts';
import { checkDemands } from './best/demands.ts';
import { type PlanFlags, planOf } from './best/plan.ts';
import type { BestFormat } from './best/told.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { type PreviewFlags, pruningBy } from './study/previews.ts';
import { newStudy, searchOn, studyAgain } from './study/search.ts';
import { onHost, type Start } from './study/session.ts';
import { givenBy, type StartFlags } from './study/start.ts';

export interface BestFlags extends ScorerFlags, PlanFlags, StartFlags, PreviewFlags {
  policy?: string;
  format: BestFormat;
}

const KIND = {
  noun: 'study',
  own: [
    ...['keep', 'images', 'minutes', 'vary', 'strategy', 'least', 'price', 'by', 'prompt', 'seed'],
    ...['previews', 'demand'],
  ],
};

async function begin(
  config: Config,
  file: string | undefined,
  flags: BestFlags,
): Promise<Start<StudyFolder>> {
  const given = await givenBy(config, file, flags, KIND);
  const plan = planOf(given);
  const previews = pruningBy(flags, given.file);
  const policyFile = flags.policy ?? given.target.settings.policyFile;
  const policy = policyFile ? readPolicyFile(policyFile) : undefined;
  return newStudy(given, flags, plan, 'best', (runtime) => {
    const expected = expectedBy(runtime, plan.spec);
    const spec = { ...plan.spec, ...(expected && { expected }) };
    const kept = policy && { policy: policyFileSchema.parse({ ...policy.policy, actions: policy.actions }) };
    return { ...plan, spec, ...kept, ...(previews && { previews }) };
  });
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
    checkDemands(spec, of, model.manifest);
    return { model, of };
  });
  if (found.length > 1) return null;
  const [{ model, of }] = found as [(typeof found)[0]];
  // How the images of a model elsewhere are spread is not known.
  const folder = catalog.models().find((one) => one.folder === model.folder);
  return folder ? expectedOf(folder.manifest, readCalibration(folder), of) : null;
}

/** Exit code 0; 3 when trials failed, or nothing could be kept; 130 when Ctrl-C stopped it. */
export async function best(file: string | undefined, flags: BestFlags): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  const start = flags.resume ? await studyAgain(config, file, flags, KIND) : await begin(config, file, flags);
  const named = policyFrom(flags.policy ?? start.target.settings.policyFile, config.policy);
  const { template } = start;
  return onHost(config, start, async (session) => {
    const own = flags.policy === undefined && session.folder.plan.policy;
    const policy = own ? policyOf(own) : named;
    return (await searchOn({ ...session, config, template, policy, format: flags.format })).code;
  });
}
