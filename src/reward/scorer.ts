/** The front door of the reward core: a model folder, loaded and ready to judge pixels. */
import { join } from 'node:path';
import { AssayError, fail, reasonOf } from '../errors/error.ts';
import { ASPECTS } from '../types/aspect.ts';
import type { Pixels } from '../types/image.ts';
import type { Domain, Judge, Judgement } from '../types/judge.ts';
import type { Policy } from '../types/policy.ts';
import type { GraphState, ScorerStamp } from '../types/scorer.ts';
import { type Calibration, calibrate, calibrationFaults, calibrationSchema, rewardOf } from './calibrate.ts';
import { Chain } from './chain.ts';
import { foreignness } from './domain.ts';
import { createEmbeddingCache, type EmbeddingCache } from './graph/embeddings.ts';
import { Graph } from './graph/graph.ts';
import type { SessionSpec, Tensors } from './graph/tensor.ts';
import { loadSharp } from './image/decode.ts';
import { createPreparer, type Preparer } from './image/prepare.ts';
import {
  type GraphSpec,
  type ImageSpec,
  type Manifest,
  type ModelFolder,
  readModelJson,
} from './model/manifest.ts';
import { checkFiles, graphPath, runtimeFiles } from './model/model-files.ts';
import { batchSize, type Plan, type PlanOptions, planLoad, stampOf } from './model/plan.ts';
import { openTextEncoder, type TextEncoder } from './text/tokenize.ts';

export interface ScorerOptions extends PlanOptions {
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
  /** Told of workers that are lost, and of loads that fail after the first. */
  onTrouble?: ((trouble: string) => void) | undefined;
}

/** A judge whose net runs in workers of ours. */
export interface Scorer extends Judge {
  manifest: Manifest;
  /** Execution provider in use, and why a preferred one is not. */
  provider: string;
  notes: string[];
  graphs: GraphState[];
  /** What each graph is fed with for one image, by its name, without the batch dimension. */
  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>>;
  ahead(pixels: Pixels): void;
  close(): Promise<void>;
}

function readCalibration(model: ModelFolder): Calibration {
  const { manifest, folder } = model;
  const calibration = readModelJson(folder, manifest.calibration, calibrationSchema);
  const [wrong] = calibrationFaults(calibration, manifest);
  if (wrong) throw fail('MANIFEST_INVALID', { path: join(folder, manifest.calibration), reason: wrong });
  return calibration;
}

/** What a scorer runs before it serves: it shows a graph that does not fit its manifest before any image is lost to it. */
export type FirstRun = (scorer: Scorer) => Promise<void>;

/**
 * Loads a model folder: checks its hashes, starts its workers, runs it once. Graphs that got no work for `keepAliveMs`
 * are released, and loaded again by the next image.
 *
 * @throws VARIANT_UNKNOWN, MANIFEST_INVALID, MODEL_FILE_MISSING, MODEL_HASH_MISMATCH, MODEL_LOAD_FAILED, MODEL_UNFIT,
 * BACKEND_MISSING, and what the first run throws
 */
export async function openScorer(
  model: ModelFolder,
  options: ScorerOptions,
  firstRun: FirstRun = runGrey,
): Promise<Scorer> {
  const { manifest } = model;
  const plan = planLoad(model, options);
  const graphs = manifest.graphs.map((spec) => openGraph(model, plan, spec, options));
  const { calibration, encode } = await loadAll(model, plan, graphs);
  const judge = graphs.at(-1)!;
  const variant = judge.provider === 'cpu' ? plan.variant : plan.gpuVariant;
  const preparer = options.preparer ?? createPreparer();
  const chain = new Chain({
    links: manifest.graphs.map((spec, i) => ({
      ...spec,
      run: graphs[i]!,
      weights: weightsOf(model, variant, spec),
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
    chain,
    owned,
  });
  try {
    await firstRun(scorer);
    return scorer;
  } catch (cause) {
    await scorer.close();
    const isJudging = !(cause instanceof AssayError) || cause.code === 'INFERENCE_FAILED';
    if (!isJudging) throw cause;
    const file = graphPath(model, variant, judge.name);
    throw fail('MODEL_UNFIT', { scorer: manifest.id, file, reason: reasonOf(cause) }, { cause });
  }
}

/** A first run on a grey image. */
export async function runGrey(scorer: Scorer): Promise<void> {
  const { width, height } = scorer.manifest.image;
  const grey = { data: new Uint8Array(width * height * 3).fill(128), width, height };
  await scorer.judge(grey, 'a', AbortSignal.timeout(120_000));
}

/** What is read of a model folder beside its graphs. */
interface Readings {
  calibration: Calibration;
  encode: TextEncoder | undefined;
}

/** The workers load while the files are checked here. All is well, or no graph stays loaded. */
async function loadAll(model: ModelFolder, plan: Plan, graphs: Graph[]): Promise<Readings> {
  const { manifest } = model;
  const files = [plan.variant, plan.gpuVariant].flatMap((variant) => runtimeFiles(manifest, variant));
  const loaded = loadGraphs(graphs);
  loaded.catch(() => {}); // what is wrong with a file explains why it does not load
  try {
    await checkFiles(model, [...new Set(files)]);
    const calibration = readCalibration(model);
    const encode = manifest.text ? openTextEncoder(model, manifest.text) : undefined;
    await loadSharp();
    await loaded;
    return { calibration, encode };
  } catch (error) {
    await Promise.all(graphs.map((graph) => graph.close()));
    throw error;
  }
}

/** One after the other, so that each one's memory can be told. */
async function loadGraphs(graphs: Graph[]): Promise<void> {
  for (const graph of graphs) await graph.load();
}

/** Room for embeddings of a scorer that shares none. */
const OWN_EMBEDDING_BYTES = 64 * 2 ** 20;

/** What a graph's weights are known by, and its tokenizer: equal files in different scorers make equal embeddings. */
function weightsOf({ manifest }: ModelFolder, variant: string, { graph, texts }: GraphSpec): string {
  const files = [manifest.variants[variant]!.graphs[graph]!, ...(texts ? [manifest.text!.tokenizer] : [])];
  return files.map((file) => manifest.files[file]!.sha256).join(' ');
}

/** How images are prepared for a variant. */
function imageOf({ image, variants }: Manifest, variant: string): ImageSpec {
  const count = variants[variant]!.windows;
  return image.windows && count ? { ...image, windows: { ...image.windows, count } } : image;
}

/** What the session of a graph needs to load. */
export function sessionSpec(model: ModelFolder, plan: Plan, spec: GraphSpec, threads: number): SessionSpec {
  const { manifest } = model;
  return {
    scorer: manifest.graphs.length > 1 ? `${manifest.id} (graph ${spec.graph})` : manifest.id,
    backend: manifest.backend,
    graph: graphPath(model, plan.variant, spec.graph),
    gpuGraph: graphPath(model, plan.gpuVariant, spec.graph),
    halfGraph: manifest.gpuVariant && graphPath(model, manifest.gpuVariant, spec.graph),
    providers: plan.providers,
    threads,
  };
}

function openGraph(model: ModelFolder, plan: Plan, spec: GraphSpec, options: ScorerOptions): Graph {
  const { manifest } = model;
  const files = [plan.variant, plan.gpuVariant].map((v) => manifest.variants[v]!.graphs[spec.graph]!);
  return new Graph(
    spec.graph,
    {
      spec: sessionSpec(model, plan, spec, options.threads),
      maxBatch: (provider) => batchSize(manifest, provider),
      // What is made once a prompt is not worth a second copy of its weights.
      workers: spec.per === 'prompt' ? 1 : options.workers,
      check: () => checkFiles(model, [...new Set(files)]),
      onTrouble: options.onTrouble,
    },
    options.keepAliveMs ?? 0,
  );
}

/** What a loaded scorer is made of. */
interface Machinery {
  plan: Plan;
  graphs: Graph[];
  chain: Chain;
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

  get domain(): Domain {
    return this.manifest.image;
  }

  get policy(): Policy | undefined {
    return this.manifest.policy;
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

  get fault(): string | null {
    return this.#machinery.graphs.map((graph) => graph.fault).find((fault) => fault !== null) ?? null;
  }

  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>> {
    return this.#machinery.chain.feeds(pixels, prompt, signal);
  }

  ahead(pixels: Pixels): void {
    this.#machinery.chain.ahead(pixels);
  }

  async judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement> {
    const known = this.#machinery.chain.understand(prompt);
    this.#requirePrompt(prompt, known.prompt);
    const { outputs, truncated, queueMs, inferMs, ...made } = await this.#machinery.chain.run(
      pixels,
      known.prompt,
      signal,
    );
    const notes = [...known.notes, ...made.notes];
    try {
      const aspects = calibrate(outputs, this.manifest, this.#calibration, known.prompt !== null);
      const reward = rewardOf(aspects, this.manifest.reward);
      const foreign = foreignness(outputs, this.manifest.domain);
      return { aspects, reward, foreign: foreign ? [foreign] : [], notes, truncated, queueMs, inferMs };
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#machinery.owned.map((part) => part.close()));
  }

  #requirePrompt(given: string | null, known: string | null): void {
    const predicted = ASPECTS.flatMap((a) => this.manifest.aspects[a] ?? []);
    if (known !== null || !predicted.every((spec) => spec.needsPrompt)) return;
    const lack = given === null ? 'the item has none' : 'knows no word of the one that the item has';
    throw fail('PROMPT_REQUIRED', { scorer: this.manifest.id, lack });
  }

  #failed(cause: unknown): AssayError {
    return fail('INFERENCE_FAILED', { scorer: this.manifest.id, reason: reasonOf(cause) }, { cause });
  }
}
