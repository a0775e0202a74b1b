/**
 * One installed scorer: loaded at most once, tested before it serves, tried again after a failure, though not by every
 * request at once.
 */
import { type AssayError, fail, reasonOf, toAssayError } from '../../errors/error.ts';
import { PACE, pauseAfter } from '../../lib/pace.ts';
import { requireModel } from '../language.ts';
import { openScorer, runGrey, type Scorer, type ScorerOptions } from '../scorer.ts';
import { checkGolden, hasGolden } from './golden.ts';
import { type ModelFolder, refOf } from './manifest.ts';
import { type Proofs, proofKey } from './proofs.ts';

export class Installed {
  readonly model: ModelFolder;
  /** What is to be known of it, for people. */
  notes: string[] = [];
  readonly #options: ScorerOptions;
  readonly #proofs: Proofs;
  #opening: Promise<Scorer> | undefined;
  #scorer: Scorer | undefined;
  #failure: AssayError | undefined;
  #failures = 0;
  /** On the clock of `performance.now`. */
  #retryAt = 0;

  constructor(model: ModelFolder, options: ScorerOptions, proofs: Proofs) {
    this.model = model;
    this.#options = options;
    this.#proofs = proofs;
  }

  get ref(): string {
    return refOf(this.model.manifest);
  }

  /** The scorer once it serves. */
  get live(): Scorer | undefined {
    return this.#scorer;
  }

  /** Why it cannot score; null: nothing is known to be wrong. */
  get problem(): string | null {
    return this.#scorer ? this.#scorer.fault : (this.#failure?.message ?? this.#lack);
  }

  /** Why it does not score at once; null: it does. */
  get unready(): string | null {
    if (this.problem !== null) return this.problem;
    if (this.#scorer) return null;
    return this.#opening ? 'it is loading' : 'it is not loaded';
  }

  /** @throws LANGUAGE_MODEL_MISSING, what loading throws, GOLDEN_MISMATCH; for a while after repeated failures the last one again */
  open(): Promise<Scorer> {
    if (this.#opening) return this.#opening;
    if (this.#failure && performance.now() < this.#retryAt) return Promise.reject(this.#failure);
    this.#opening = this.#load();
    return this.#opening;
  }

  async close(): Promise<void> {
    const scorer = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    this.#scorer = undefined;
    await scorer?.close();
  }

  /** Why it cannot load, where that is known before. */
  get #lack(): string | null {
    try {
      this.#requireLanguage();
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** @throws LANGUAGE_MODEL_MISSING, and what is wrong with the settings of the model */
  #requireLanguage(): void {
    const { id, language } = this.model.manifest;
    if (language) requireModel(id, language, this.#options.languageModel?.(id));
  }

  async #load(): Promise<Scorer> {
    try {
      this.#requireLanguage();
      const scorer = await this.#openTested(this.#options);
      this.#scorer = scorer;
      this.#failure = undefined;
      this.#failures = 0;
      return scorer;
    } catch (error) {
      this.#opening = undefined;
      this.#failure = toAssayError(error);
      this.#retryAt = performance.now() + pauseAfter(++this.#failures, PACE);
      throw this.#failure;
    }
  }

  /** A provider that nobody asked for, and that gives other scores, makes way for the CPU. */
  async #openTested(options: ScorerOptions): Promise<Scorer> {
    let provider: string | undefined;
    try {
      return await openScorer(this.model, options, (scorer) => {
        provider = scorer.provider;
        return this.#test(scorer);
      });
    } catch (error) {
      const isFree = options.providers.length === 0 && this.model.manifest.backend === 'onnx';
      if (!isFree || provider === undefined || provider === 'cpu') throw error;
      const onCpu = await this.#openTested({ ...options, providers: ['cpu'] });
      this.notes.push(`${reasonOf(error)}; the CPU is used instead`);
      return onCpu;
    }
  }

  /** Golden scores once for each pair of weights and driver: what passed is remembered, and which batches pay. @throws GOLDEN_MISMATCH */
  async #test(scorer: Scorer): Promise<void> {
    const { stamp, provider } = scorer;
    this.notes = [];
    const isTestable = hasGolden(this.model, stamp.variant);
    if (!isTestable)
      this.notes.push(`it ships no golden scores for variant ${stamp.variant}: not tested on this machine`);
    const key = proofKey(this.model, stamp.variant, provider, scorer.graphs.at(-1)!.precision);
    const known = this.#proofs.find(key);
    if (known?.batch) scorer.batch = known.batch;
    if (known) return runGrey(scorer);
    await (isTestable ? this.#prove(scorer) : runGrey(scorer));
    // What a CPU core does with a batch is known, and in the manifest.
    const batch = scorer.gpu ? await scorer.tuneBatch() : undefined;
    if (isTestable || batch) this.#proofs.add(key, { scorer: this.ref, provider, batch });
  }

  async #prove(scorer: Scorer): Promise<void> {
    const checks = await checkGolden(this.model, scorer, goldensAtStart(scorer.provider));
    const bad = checks.find((check) => !check.ok);
    if (!bad) return;
    const { image, aspect, expected } = bad;
    const found = bad.found?.toFixed(4) ?? 'none';
    throw fail('GOLDEN_MISMATCH', {
      scorer: this.ref,
      provider: scorer.provider,
      image,
      aspect,
      expected,
      found,
    });
  }
}

/** Golden images that are enough to tell a broken driver; the CPU has none. `models verify` looks at all. */
const goldensAtStart = (provider: string): number => (provider === 'cpu' ? 1 : 2);
