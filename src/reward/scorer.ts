/** The front door of the reward core: a model folder, loaded and ready to judge pixels. */
import { join } from 'node:path';
import type { Provider } from '../config.ts';
import { type AssayError, fail, reasonOf } from '../errors.ts';
import {
  ASPECTS,
  type Aspect,
  type AspectScore,
  type GuardFinding,
  type Pixels,
  type ScorerInfo,
  type ScorerStamp,
} from '../types.ts';
import { type Batcher, openBatcher } from './batch.ts';
import { type Calibration, calibrate, calibrationSchema, rewardOf } from './calibrate.ts';
import { foreignness } from './domain.ts';
import {
  checkFiles,
  type Manifest,
  type ModelFolder,
  readModelJson,
  runtimeFiles,
  weightsHash,
} from './manifest.ts';
import { prepare } from './prepare.ts';
import { chooseProviders } from './providers.ts';
import { openTextEncoder, type TextEncoder } from './text.ts';

export interface ScorerOptions {
  /** Variant of the manifest; its default when absent. */
  variant?: string | undefined;
  /** Execution providers in order of preference; empty: what is there. */
  providers: readonly Provider[];
  /** Threads of one session. */
  threads: number;
  /** Sessions side by side. */
  workers: number;
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
  /** Judges one image. @throws PROMPT_REQUIRED, INFERENCE_FAILED, DRAINING, or the signal's reason */
  judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement>;
  close(): Promise<void>;
}

interface Plan {
  variant: string;
  gpuVariant: string;
  providers: Provider[];
  notes: string[];
}

/** Which variant and providers to load. @throws MANIFEST_INVALID for a variant that is not there */
export function planLoad({ folder, manifest }: ModelFolder, options: ScorerOptions): Plan {
  const variant = options.variant ?? manifest.defaultVariant;
  if (!(variant in manifest.variants)) {
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
 * Loads a model folder: checks its hashes, starts its workers, runs it once on a grey image.
 *
 * @throws MANIFEST_INVALID, MODEL_FILE_MISSING, MODEL_HASH_MISMATCH, MODEL_LOAD_FAILED, MODEL_UNFIT, BACKEND_MISSING
 */
export async function openScorer(model: ModelFolder, options: ScorerOptions): Promise<Scorer> {
  const { folder, manifest } = model;
  const plan = planLoad(model, options);
  const files = [plan.variant, plan.gpuVariant].flatMap((variant) => runtimeFiles(manifest, variant));
  checkFiles(model, [...new Set(files)]);
  const calibration = readCalibration(model);
  const encode = manifest.text ? openTextEncoder(model, manifest.text) : undefined;
  const graphOf = (variant: string) => join(folder, manifest.variants[variant]!.graphs.score);
  const batcher = await openBatcher({
    spec: {
      scorer: manifest.id,
      backend: manifest.backend,
      graph: graphOf(plan.variant),
      gpuGraph: graphOf(plan.gpuVariant),
      providers: plan.providers,
      threads: options.threads,
    },
    maxBatch: (provider) => batchSize(manifest, provider),
    workers: options.workers,
  });
  const scorer = new LoadedScorer(model, plan, calibration, encode, batcher);
  await warmUp(scorer, graphOf(plan.variant));
  return scorer;
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

class LoadedScorer implements Scorer {
  readonly manifest: Manifest;
  readonly stamp: ScorerStamp;
  readonly provider: string;
  readonly notes: string[];
  readonly #calibration: Calibration;
  readonly #encode: TextEncoder | undefined;
  readonly #batcher: Batcher;

  constructor(
    model: ModelFolder,
    plan: Plan,
    calibration: Calibration,
    encode: TextEncoder | undefined,
    batcher: Batcher,
  ) {
    this.manifest = model.manifest;
    this.provider = batcher.provider;
    this.notes = [...plan.notes, ...batcher.notes];
    this.stamp = stampOf(model, this.provider === 'cpu' ? plan.variant : plan.gpuVariant);
    this.#calibration = calibration;
    this.#encode = encode;
    this.#batcher = batcher;
  }

  async judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement> {
    this.#requirePrompt(prompt);
    const feeds = await prepare(pixels, prompt, this.manifest, this.#encode);
    signal.throwIfAborted();
    const { outputs, queueMs, inferMs } = await this.#batcher.infer(feeds, signal);
    try {
      const aspects = calibrate(outputs, this.manifest, this.#calibration, prompt !== null);
      const reward = rewardOf(aspects, this.manifest.reward.weights);
      return { aspects, reward, foreign: foreignness(outputs, this.manifest.domain), queueMs, inferMs };
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  close(): Promise<void> {
    return this.#batcher.close();
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
