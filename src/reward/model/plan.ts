/** What would be loaded of a model folder, and what can be said of it before. */
import type { Provider } from '../../config.ts';
import { fail, reasonOf } from '../../errors/error.ts';
import { ASPECTS } from '../../types/aspect.ts';
import type { ScorerInfo, ScorerStamp } from '../../types/scorer.ts';
import type { Precision } from '../graph/onnx/widen.ts';
import { chooseProviders } from '../graph/providers.ts';
import { type Manifest, type ModelFolder, refOf } from './manifest.ts';
import { weightsHash } from './model-files.ts';

export interface PlanOptions {
  /** Variant of the manifest; its default when absent. */
  variant?: string | undefined;
  /** Execution providers in order of preference; empty: what is there. */
  providers: readonly Provider[];
  /** Where it is remembered what works and was tested on this machine; absent: it is found out at each start. */
  dataDir?: string | undefined;
}

export interface Plan {
  variant: string;
  gpuVariant: string;
  providers: Provider[];
  /** Of four-bit weights, where they do not run on the CPU. */
  precision: Precision;
  notes: string[];
}

/** Which variant and providers to load, of those that are known to work. @throws VARIANT_UNKNOWN */
export function planLoad({ manifest }: ModelFolder, options: PlanOptions): Plan {
  const variant = options.variant ?? manifest.defaultVariant;
  if (!Object.hasOwn(manifest.variants, variant)) {
    const known = Object.keys(manifest.variants).join(', ');
    throw fail('VARIANT_UNKNOWN', { scorer: refOf(manifest), variant, known });
  }
  const gpuVariant = options.variant ?? manifest.gpuVariant ?? variant;
  return { variant, gpuVariant, ...chooseProviders(options.providers, options.dataDir) };
}

/** Most images of one run on a provider. */
export const batchSize = (manifest: Manifest, provider: string): number =>
  (provider === 'cpu' ? manifest.cpuMaxBatch : undefined) ?? manifest.maxBatch;

/** Which weights and calibration a variant uses. */
export function stampOf({ manifest }: ModelFolder, variant: string): ScorerStamp {
  const calibration = `sha256:${manifest.files[manifest.calibration]!.sha256}`;
  const weights = weightsHash(manifest, variant);
  return { id: manifest.id, version: manifest.version, variant, weights, calibration };
}

/** What can be said of a scorer without loading it; a variant that it lacks is its own problem. */
export function describeScorer(
  model: ModelFolder,
  options: PlanOptions,
): Omit<ScorerInfo, 'default' | 'loaded'> {
  const { id, version, title, license, backend, aspects } = model.manifest;
  const { plan, problem } = planOrProblem(model, options);
  const provider = backend === 'tfjs' ? 'tfjs' : plan.providers[0]!;
  const predicted = ASPECTS.filter((a) => aspects[a]);
  return {
    id,
    version,
    title,
    license,
    backend,
    folder: model.folder,
    variant: provider === 'cpu' ? plan.variant : plan.gpuVariant,
    provider,
    providerNotes: plan.notes,
    problem,
    notes: [],
    aspects: predicted,
    needsPrompt: predicted.every((a) => aspects[a]!.needsPrompt),
    graphs: [],
  };
}

function planOrProblem(model: ModelFolder, options: PlanOptions): { plan: Plan; problem: string | null } {
  try {
    return { plan: planLoad(model, options), problem: null };
  } catch (error) {
    const { variant = '', ...rest } = options;
    return { plan: { ...planLoad(model, rest), variant, gpuVariant: variant }, problem: reasonOf(error) };
  }
}
