/** The front door of the reward core: a model folder, loaded and ready to judge pixels. */
import { join } from 'node:path';
import type { Provider } from '../config.ts';
import { type AssayError, fail, reasonOf } from '../errors.ts';
import {
  ASPECTS,
  type Aspect,
  type AspectScore,
  type GraphState,
  type GuardFinding,
  type Pixels,
  type ScorerInfo,
  type ScorerStamp,
} from '../types.ts';
import { type Calibration, calibrate, calibrationSchema, rewardOf } from './calibrate.ts';
import { foreignness } from './domain.ts';
import { createEmbeddingCache, type EmbeddingCache } from './embeddings.ts';
import { Graph } from './graph.ts';
import { type ImageSpec, type Manifest, type ModelFolder, readModelJson, type StepSpec } from './manifest.ts';
import { checkFiles, graphPath, runtimeFiles, weightsHash } from './model-files.ts';
import { createPreparer, type Preparer } from './prepare.ts';
import { chooseProviders } from './providers.ts';
import { createSteps, type Steps } from './steps.ts';
import type { SessionSpec, Tensors } from './tensor.ts';
import { openTextEncoder } from './text.ts';

export interface ScorerOptions {
  /** Variant of the manifest; its default when absent. */
  variant?: string | undefined;
  /** Execution providers in order of preference; empty: what is there. */
  providers: readonly Provider[];
  /** Threads of one session. */
  threads: number;
  /** Sessions side by side. */
  workers: number;
  /** How long a graph stays loaded without work; 0 or absent: until the scorer is closed. */
  keepAliveMs?: number;
  /** Shared by scorers, so that one does not repeat what another has made; its own when absent. */
  embeddings?: EmbeddingCache;
  /** Shared by scorers, and closed by whoever made it; its own when absent. */
  preparer?: Preparer;
}

/** What the scorer says of one image. */
export interface Judgement {
  aspects: Record<Aspect, AspectScore | null>;
  /** What the aspects make; guards are not yet in it. */
  reward: number | null;
  /** The finding when the image is foreign to the scorer, by its own graph. */
  foreign: GuardFinding | null;
  queueMs: number;
  inferMs: number;
}

export interface Scorer {
  manifest: Manifest;
  stamp: ScorerStamp;
  /** Execution provider in use, and why a preferred one is not. */
  provider: string;
  notes: string[];
  graphs: GraphState[];
  /** What each graph is fed with for one image, by its name, without the batch dimension. */
  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>>;
  /** Judges one image. @throws PROMPT_REQUIRED, INFERENCE_FAILED, DRAINING, or the signal's reason */
  judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement>;
  close(): Promise<void>;
}

export interface Plan {
  variant: string;
  gpuVariant: string;
  providers: Provider[];
  notes: string[];
}

/** Which variant and providers to load. @throws MANIFEST_INVALID for a variant that is not there */
export function planLoad({ folder, manifest }: ModelFolder, options: ScorerOptions): Plan {
  const variant = options.variant ?? manifest.defaultVariant;
  if (!Object.hasOwn(manifest.variants, variant)) {
    const known = Object.keys(manifest.variants).join(', ');
    throw fail('MANIFEST_INVALID', { path: folder, reason: `no variant "${variant}"; it has ${known}` });
  }
  const gpuVariant = options.variant ?? manifest.gpuVariant ?? variant;
  return { variant, gpuVariant, ...chooseProviders(options.providers) };
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

/** What can be said of a scorer without loading it. */
export function describeScorer(
  model: ModelFolder,
  options: ScorerOptions,
): Omit<ScorerInfo, 'default' | 'loaded'> {
  const { id, version, title, license, backend, aspects } = model.manifest;
  const plan = planLoad(model, options);
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
    aspects: predicted,
    needsPrompt: predicted.every((a) => aspects[a]!.needsPrompt),
    graphs: [],
  };
}

function readCalibration(model: ModelFolder): Calibration {
  const { manifest, folder } = model;
  const calibration = readModelJson(folder, manifest.calibration, calibrationSchema);
  for (const aspect of ASPECTS)
    if (manifest.aspects[aspect] && !calibration.aspects[aspect])
      throw fail('MANIFEST_INVALID', {
        path: join(folder, manifest.calibration),
        reason: `aspects.${aspect} is missing`,
      });
  return calibration;
}

/**
 * Loads a model folder: checks its hashes, starts its workers, runs it once on a grey image. Graphs that got no work
 * for `keepAliveMs` are released, and loaded again by the next image.
 *
 * @throws MANIFEST_INVALID, MODEL_FILE_MISSING, MODEL_HASH_MISMATCH, MODEL_LOAD_FAILED, MODEL_UNFIT, BACKEND_MISSING
 */
export async function openScorer(model: ModelFolder, options: ScorerOptions): Promise<Scorer> {
  const { manifest } = model;
  const plan = planLoad(model, options);
  const files = [plan.variant, plan.gpuVariant].flatMap((variant) => runtimeFiles(manifest, variant));
  checkFiles(model, [...new Set(files)]);
  const calibration = readCalibration(model);
  const encode = manifest.text ? openTextEncoder(model, manifest.text) : undefined;
  const graphs = manifest.steps.map((step) => openGraph(model, plan, step, options));
  await loadAll(graphs);
  const judge = graphs.at(-1)!;
  const variant = judge.provider === 'cpu' ? plan.variant : plan.gpuVariant;
  const preparer = options.preparer ?? createPreparer();
  const steps = createSteps({
    steps: manifest.steps.map((step, i) => ({
      ...step,
      run: graphs[i]!,
      weights: weightsOf(model, variant, step),
    })),
    image: imageOf(manifest, variant),
    preparer,
    encode,
    embeddings: options.embeddings ?? createEmbeddingCache(OWN_EMBEDDING_BYTES),
  });
  const owned = options.preparer ? graphs : [...graphs, preparer];
  const scorer = new LoadedScorer(model, stampOf(model, variant), calibration, {
    plan,
    graphs,
    steps,
    owned,
  });
  await warmUp(scorer, graphPath(model, variant, judge.name));
  return scorer;
}

/** One after the other, so that each one's memory can be told. */
async function loadAll(graphs: Graph[]): Promise<void> {
  try {
    for (const graph of graphs) await graph.load();
  } catch (error) {
    await Promise.all(graphs.map((graph) => graph.close()));
    throw error;
  }
}

/** Room for embeddings of a scorer that shares none. */
const OWN_EMBEDDING_BYTES = 64 * 2 ** 20;

/** What a step's weights are known by, and its tokenizer: equal files in different scorers make equal embeddings. */
function weightsOf({ manifest }: ModelFolder, variant: string, { graph, texts }: StepSpec): string {
  const files = [manifest.variants[variant]!.graphs[graph]!, ...(texts ? [manifest.text!.tokenizer] : [])];
  return files.map((file) => manifest.files[file]!.sha256).join(' ');
}

/** How images are prepared for a variant. */
function imageOf({ image, variants }: Manifest, variant: string): ImageSpec {
  const count = variants[variant]!.windows;
  return image.windows && count ? { ...image, windows: { ...image.windows, count } } : image;
}

/** What the session of a step needs to load. */
export function sessionSpec(model: ModelFolder, plan: Plan, step: StepSpec, threads: number): SessionSpec {
  const { manifest } = model;
  return {
    scorer: manifest.steps.length > 1 ? `${manifest.id} (graph ${step.graph})` : manifest.id,
    backend: manifest.backend,
    graph: graphPath(model, plan.variant, step.graph),
    gpuGraph: graphPath(model, plan.gpuVariant, step.graph),
    halfGraph: manifest.gpuVariant && graphPath(model, manifest.gpuVariant, step.graph),
    providers: plan.providers,
    threads,
  };
}

function openGraph(model: ModelFolder, plan: Plan, step: StepSpec, options: ScorerOptions): Graph {
  const { manifest } = model;
  const spec = sessionSpec(model, plan, step, options.threads);
  // What is made once a prompt is not worth a second copy of its weights.
  const workers = step.per === 'prompt' ? 1 : options.workers;
  const maxBatch = (provider: string) => batchSize(manifest, provider);
  return new Graph(step.graph, { spec, maxBatch, workers }, options.keepAliveMs ?? 0);
}

/** A first run shows a graph that does not fit its manifest before any image is lost to it. */
async function warmUp(scorer: LoadedScorer, file: string): Promise<void> {
  const { width, height } = scorer.manifest.image;
  const grey = { data: new Uint8Array(width * height * 3).fill(128), width, height };
  try {
    await scorer.judge(grey, 'a', AbortSignal.timeout(120_000));
  } catch (cause) {
    await scorer.close();
    throw fail('MODEL_UNFIT', { scorer: scorer.manifest.id, file, reason: reasonOf(cause) }, { cause });
  }
}

/** What a loaded scorer is made of. */
interface Machinery {
  plan: Plan;
  graphs: Graph[];
  steps: Steps;
  /** What is closed with the scorer. */
  owned: { close(): Promise<void> }[];
}

class LoadedScorer implements Scorer {
  readonly manifest: Manifest;
  readonly stamp: ScorerStamp;
  readonly #calibration: Calibration;
  readonly #machinery: Machinery;

  constructor(model: ModelFolder, stamp: ScorerStamp, calibration: Calibration, machinery: Machinery) {
    this.manifest = model.manifest;
    this.stamp = stamp;
    this.#calibration = calibration;
    this.#machinery = machinery;
  }

  get provider(): string {
    return this.#machinery.graphs.at(-1)!.provider ?? 'cpu';
  }

  get notes(): string[] {
    const { plan, graphs } = this.#machinery;
    const name = (graph: Graph) => (graphs.length > 1 ? `${graph.name}: ` : '');
    return [...plan.notes, ...graphs.flatMap((graph) => graph.notes.map((note) => name(graph) + note))];
  }

  get graphs(): GraphState[] {
    return this.#machinery.graphs.map((graph) => graph.state);
  }

  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>> {
    return this.#machinery.steps.feeds(pixels, prompt, signal);
  }

  async judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement> {
    this.#requirePrompt(prompt);
    const { outputs, queueMs, inferMs } = await this.#machinery.steps.run(pixels, prompt, signal);
    try {
      const aspects = calibrate(outputs, this.manifest, this.#calibration, prompt !== null);
      const reward = rewardOf(aspects, this.manifest.reward.weights);
      return { aspects, reward, foreign: foreignness(outputs, this.manifest.domain), queueMs, inferMs };
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#machinery.owned.map((part) => part.close()));
  }

  #requirePrompt(prompt: string | null): void {
    const predicted = ASPECTS.flatMap((a) => this.manifest.aspects[a] ?? []);
    if (prompt === null && predicted.every((spec) => spec.needsPrompt))
      throw fail('PROMPT_REQUIRED', { scorer: this.manifest.id });
  }

  #failed(cause: unknown): AssayError {
    return fail('INFERENCE_FAILED', { scorer: this.manifest.id, reason: reasonOf(cause) }, { cause });
  }
}
