/** The front door of the reward core: a model folder, loaded and ready to judge pixels. */
import { join } from 'node:path';
import { AssayError, fail, reasonOf } from '../errors/error.ts';
import { ASPECTS } from '../types/aspect.ts';
import type { Pixels } from '../types/image.ts';
import type { Domain, Judge, Judgement } from '../types/judge.ts';
import type { Policy } from '../types/policy.ts';
import type { LanguageModel } from '../types/provider.ts';
import type { GraphState, Released, ScorerStamp } from '../types/scorer.ts';
import { type Calibration, calibrate, calibrationFaults, calibrationSchema, rewardOf } from './calibrate.ts';
import { Chain } from './chain.ts';
import { foreignness } from './domain.ts';
import { sizeThatPays } from './graph/batch-size.ts';
import { createEmbeddingCache, type EmbeddingCache } from './graph/embeddings.ts';
import { Graph } from './graph/graph.ts';
import { explore } from './graph/providers.ts';
import type { SessionSpec, Tensors } from './graph/tensor.ts';
import { loadSharp } from './image/decode.ts';
import { createPreparer, type Preparer } from './image/prepare.ts';
import { Language } from './language.ts';
import {
  type GraphSpec,
  type ImageSpec,
  type Manifest,
  type ModelFolder,
  readModelJson,
} from './model/manifest.ts';
import { checkFiles, graphFiles, graphPath, runtimeFiles } from './model/model-files.ts';
import { batchSize, type Plan, type PlanOptions, planLoad, stampOf } from './model/plan.ts';
import { openTextEncoder, type TextEncoder } from './text/tokenize.ts';

export interface ScorerOptions extends PlanOptions {
  /** Threads of one session. */
  threads: number;
  /** Sessions side by side. */
  workers: number;
  /** Most memory of the GPU that a graph's session may take; without bound when absent. */
  gpu?: { memoryMb?: number | undefined } | undefined;
  /** How long a graph stays loaded without work; 0 or absent: until the scorer is closed. */
  keepAliveMs?: number;
  /** Shared by scorers, so that one does not repeat what another has made; its own when absent. */
  embeddings?: EmbeddingCache;
  /** Shared by scorers, and closed by whoever made it; its own when absent. */
  preparer?: Preparer;
  /** The language model that a scorer of that id judges by. */
  languageModel?: ((id: string) => LanguageModel | undefined) | undefined;
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
  /** Most images that are run together. */
  batch: number;
  /** Tries batches until larger ones do not pay. @returns the size that is then used */
  tuneBatch(): Promise<number>;
  release(): Released;
  /** Judges as `judge` does, with stand-ins for what a language model elsewhere would say: nobody is asked. */
  rehearse(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement>;
  /** What each graph is fed with for one image, by its name, without the batch dimension; with the same stand-ins. */
  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>>;
  ahead(pixels: Pixels): void;
  close(): Promise<void>;
}

/** @throws MANIFEST_INVALID, MODEL_FILE_UNREADABLE */
export function readCalibration(model: ModelFolder): Calibration {
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
  if (manifest.backend === 'onnx') await explore(options.providers, options.dataDir);
  const plan = planLoad(model, options);
  const limit: BatchLimit = {};
  const graphs = manifest.graphs.map((spec) => openGraph(model, plan, spec, options, limit));
  const { calibration, encode } = await loadAll(model, plan, graphs);
  const judge = graphs.at(-1)!;
  const variant = judge.provider === 'cpu' ? plan.variant : plan.gpuVariant;
  const preparer = options.preparer ?? createPreparer();
  const embeddings = options.embeddings ?? createEmbeddingCache(OWN_EMBEDDING_BYTES);
  const { id, language: spoken } = manifest;
  const language = spoken && new Language(id, spoken, options.languageModel?.(id));
  const chainOf = (runs: Graph[]) =>
    new Chain({
      links: manifest.graphs.map((spec, i) => ({
        ...spec,
        run: runs[i]!,
        weights: weightsOf(model, variant, spec),
      })),
      image: imageOf(manifest, variant),
      ...{ preparer, encode, embeddings, language },
    });
  // The same weights on the CPU, loaded when an image is to be judged there.
  const onCpu: Plan = { ...plan, providers: ['cpu'] };
  const hasChoice = judge.provider !== 'cpu' && manifest.backend === 'onnx' && variant === plan.variant;
  const spare = hasChoice ? manifest.graphs.map((spec) => openGraph(model, onCpu, spec, options, {})) : [];
  const all = [...graphs, ...spare];
  const scorer = new LoadedScorer(model, stampOf(model, variant), calibration, {
    ...{ plan, graphs, spare, limit, chain: chainOf(graphs) },
    spareChain: hasChoice ? chainOf(spare) : undefined,
    language,
    owned: options.preparer ? all : [...all, preparer],
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
  await scorer.rehearse(greyFor(scorer), 'a', AbortSignal.timeout(WARM_UP_MS));
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
  const files = [...graphFiles(manifest, variant, graph), ...(texts ? [manifest.text!.tokenizer] : [])];
  return files.map((file) => manifest.files[file]!.sha256).join(' ');
}

/** How images are prepared for a variant. */
function imageOf({ image, variants }: Manifest, variant: string): ImageSpec {
  const count = variants[variant]!.windows;
  return image.windows && count ? { ...image, windows: { ...image.windows, count } } : image;
}

/** What the session of a graph needs to load. */
export function sessionSpec(
  model: ModelFolder,
  plan: Plan,
  spec: GraphSpec,
  { threads, gpu }: Pick<ScorerOptions, 'threads' | 'gpu'>,
): SessionSpec {
  const { manifest } = model;
  return {
    scorer: manifest.graphs.length > 1 ? `${manifest.id} (graph ${spec.graph})` : manifest.id,
    backend: manifest.backend,
    graph: graphPath(model, plan.variant, spec.graph),
    gpuGraph: graphPath(model, plan.gpuVariant, spec.graph),
    halfGraph: manifest.gpuVariant && graphPath(model, manifest.gpuVariant, spec.graph),
    ...{ providers: plan.providers, precision: plan.precision, threads },
    gpuMemoryMb: gpu?.memoryMb,
  };
}

/** Most images of a batch, once it is known which sizes pay. */
interface BatchLimit {
  size?: number;
}

function openGraph(
  model: ModelFolder,
  plan: Plan,
  spec: GraphSpec,
  options: ScorerOptions,
  limit: BatchLimit,
): Graph {
  const { manifest } = model;
  const files = [plan.variant, plan.gpuVariant].flatMap((v) => graphFiles(manifest, v, spec.graph));
  return new Graph(
    spec.graph,
    {
      spec: sessionSpec(model, plan, spec, options),
      maxBatch: (provider) => limit.size ?? batchSize(manifest, provider),
      // What is made once a prompt is not worth a second copy of its weights.
      workers: spec.per === 'prompt' ? 1 : options.workers,
      check: () => checkFiles(model, [...new Set(files)]),
      onTrouble: options.onTrouble,
    },
    options.keepAliveMs ?? 0,
  );
}

/** A diffusion model takes a minute and more for an image on a core. */
const WARM_UP_MS = 600_000;

function greyFor({ manifest }: Scorer): Pixels {
  const { width, height } = manifest.image;
  return { data: new Uint8Array(width * height * 3).fill(128), width, height };
}

/** What a loaded scorer is made of. */
interface Machinery {
  plan: Plan;
  graphs: Graph[];
  chain: Chain;
  /** Of the CPU, where the others are not. */
  spare: Graph[];
  spareChain: Chain | undefined;
  language: Language | undefined;
  limit: BatchLimit;
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

  get asksElsewhere(): boolean {
    return this.manifest.language !== undefined;
  }

  get provider(): string {
    return this.#machinery.graphs.at(-1)!.provider ?? 'cpu';
  }

  get gpu(): Judge['gpu'] {
    if (this.provider === 'cpu' || this.manifest.backend !== 'onnx') return undefined;
    return this.#machinery.spareChain ? 'or-cpu' : 'only';
  }

  get batch(): number {
    return this.#machinery.limit.size ?? batchSize(this.manifest, this.provider);
  }

  set batch(size: number) {
    this.#machinery.limit.size = size;
  }

  /** Of the graph that judges; the others are run once a prompt. */
  async tuneBatch(): Promise<number> {
    const feeds = await this.feeds(greyFor(this), 'a', AbortSignal.timeout(WARM_UP_MS));
    const judge = this.#machinery.graphs.at(-1)!;
    const most = batchSize(this.manifest, this.provider);
    this.batch = await sizeThatPays(most, (size) => judge.timeBatch(feeds[judge.name]!, size));
    return this.batch;
  }

  release(): Released {
    const { graphs, spare } = this.#machinery;
    const found = [...graphs, ...spare].map((graph) => graph.release());
    const count = (when: string) => found.filter((one) => one === when).length;
    return { released: count('now'), pending: count('later') };
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
    const { graphs, language } = this.#machinery;
    return graphs.map((graph) => graph.fault).find((fault) => fault !== null) ?? language?.fault ?? null;
  }

  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>> {
    return this.#machinery.chain.feeds(pixels, prompt, signal);
  }

  ahead(pixels: Pixels): void {
    this.#machinery.chain.ahead(pixels);
  }

  judge(pixels: Pixels, prompt: string | null, signal: AbortSignal, onCpu = false): Promise<Judgement> {
    const { spareChain, chain } = this.#machinery;
    return this.#judge((onCpu && spareChain) || chain, pixels, prompt, signal);
  }

  rehearse(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement> {
    return this.#judge(this.#machinery.chain, pixels, prompt, signal, true);
  }

  async #judge(
    chain: Chain,
    pixels: Pixels,
    prompt: string | null,
    signal: AbortSignal,
    isRehearsal = false,
  ): Promise<Judgement> {
    const known = chain.understand(prompt);
    this.#requirePrompt(prompt, known.prompt);
    const { outputs, notes, ...made } = await chain.run(pixels, known.prompt, signal, isRehearsal);
    try {
      const aspects = calibrate(outputs, this.manifest, this.#calibration, known.prompt !== null);
      const reward = rewardOf(aspects, this.manifest.reward);
      const foreign = foreignness(outputs, this.manifest.domain);
      return {
        aspects,
        reward,
        foreign: foreign ? [foreign] : [],
        ...made,
        notes: [...known.notes, ...notes],
      };
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
