/** A judge that asks a language model elsewhere: the expected rating of five words, an aspect at a time. */
import { hash } from 'node:crypto';
import { AssayError, fail } from '../../errors/error.ts';
import { gistOf } from '../../lib/words.ts';
import type { Aspect, AspectScore } from '../../types/aspect.ts';
import type { Pixels } from '../../types/image.ts';
import type { Domain, Judge, Judgement } from '../../types/judge.ts';
import type { Provider, ProviderAnswer, SentImage } from '../../types/provider.ts';
import type { ScorerStamp } from '../../types/scorer.ts';
import { Absence } from '../absence.ts';
import { rewardOf, scoreOf } from '../calibrate.ts';
import { asPng } from '../image/decode.ts';
import { sha256Of } from '../image/slices.ts';
import type { AspectSpec, Manifest } from '../model/manifest.ts';
import { ASKED, type Asked, critiqueTurns, QUESTIONNAIRE, turnsFor } from './questions.ts';
import { LEVELS, type Rating, ratingOf, WORDS } from './rating.ts';
import { calibrationFile, type Known, type Reads, readStored } from './stored.ts';

export interface VlmJudgeOptions {
  id: string;
  provider: Provider;
  /** Longest side of the image that is sent, in pixels. */
  maxSide: number;
  /** Whether it is asked for a critique, too. */
  critique: boolean;
  dataDir: string;
}

export const VLM_VERSION = '1';

const spec = (output: Asked): AspectSpec => ({
  ...{ output, kind: 'distribution', levels: LEVELS, needsPrompt: output === 'alignment' },
  range: [LEVELS[0]!, LEVELS.at(-1)!],
});

/** What such judges predict, and how their reward is made. */
export const VLM_ASPECTS: Manifest['aspects'] = {
  ...{ quality: spec('quality'), alignment: spec('alignment'), authenticity: null },
};
export const VLM_REWARD: Manifest['reward'] = { weights: { quality: 1, alignment: 1 } };

/** What a judge is known by in place of weights, which nobody here can see. */
export const vlmWeights = ({ provider, maxSide }: Pick<VlmJudgeOptions, 'provider' | 'maxSide'>): string =>
  `sha256:${hash('sha256', JSON.stringify([provider.url, provider.model, maxSide, QUESTIONNAIRE]))}`;

/** Below this, the five words were hardly what the model meant to say. */
const LEAST_SHARE = 0.5;

/** What one question came to. */
interface Asking {
  aspect: Asked;
  answer: ProviderAnswer;
  rating: Exclude<Rating, { kind: 'none' }>;
}

export class VlmJudge implements Judge {
  readonly stamp: ScorerStamp;
  /** A model scales what it is sent: smaller than this there is nothing to see, and in a strip little. */
  readonly domain: Domain = { minSide: 32, maxAspectRatio: 8 };
  readonly asksElsewhere = true;
  readonly #options: VlmJudgeOptions;
  readonly #known: Known;
  readonly #absence = new Absence();

  constructor(options: VlmJudgeOptions) {
    this.#options = options;
    const { id, dataDir } = options;
    const weights = vlmWeights(options);
    this.#known = readStored(calibrationFile(dataDir, id), weights);
    const calibration = this.#known.digest;
    const variant = options.critique ? 'critique' : 'plain';
    this.stamp = { id, version: VLM_VERSION, variant, weights, calibration };
  }

  get fault(): string | null {
    return this.#absence.why;
  }

  /** Why its scores have no percentile and no interval; null: they have. */
  get lack(): string | null {
    return this.#known.lack;
  }

  async judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement> {
    const start = performance.now();
    const image = await this.#sent(pixels, signal);
    const aspects = ASKED.filter((aspect) => aspect !== 'alignment' || prompt !== null);
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    try {
      const [critique, ...askings] = await Promise.all([
        this.#critique(image, prompt, until),
        ...aspects.map((aspect) => this.#ask(aspect, image, prompt ?? '', until)),
      ]);
      const answers = [...askings.map(({ answer }) => answer), ...(critique ? [critique] : [])];
      return this.#judged(askings, answers, critique, performance.now() - start);
    } finally {
      // When one question fails, the others are of no use.
      stop.abort(fail('CANCELLED', {}));
    }
  }

  #judged(
    askings: Asking[],
    answers: ProviderAnswer[],
    critique: ProviderAnswer | null,
    elapsedMs: number,
  ): Judgement {
    const scores: Record<Aspect, AspectScore | null> = { quality: null, alignment: null, authenticity: null };
    for (const { aspect, rating } of askings) scores[aspect] = this.#score(aspect, rating);
    const queueMs = Math.max(0, ...answers.map((answer) => answer.queueMs));
    const costs = answers.map(({ cost }) => cost);
    return {
      aspects: scores,
      reward: rewardOf(scores, VLM_REWARD),
      foreign: [],
      notes: [...this.#notes(askings), ...(critique ? [`critique: ${critiqueIn(critique)}`] : [])],
      ...{ queueMs, inferMs: elapsedMs - queueMs },
      tokens: costs.every((cost) => cost !== undefined)
        ? costs.reduce((sum, cost) => sum + cost, 0)
        : undefined,
    };
  }

  async #ask(aspect: Asked, image: SentImage, prompt: string, signal: AbortSignal): Promise<Asking> {
    const rate = (answer: ProviderAnswer) => this.#rate(aspect, answer);
    const answer = await this.#put({ image, turns: turnsFor(aspect, prompt) }, signal, rate);
    return { aspect, answer, rating: rate(answer) };
  }

  /** @throws JUDGE_ANSWER */
  #rate(aspect: Asked, answer: ProviderAnswer): Asking['rating'] {
    const rating = ratingOf(answer);
    if (rating.kind !== 'none') return rating;
    const { model } = this.#options.provider;
    throw fail('JUDGE_ANSWER', { model, aspect, words: WORDS.join(', '), fault: gistOf(rating.fault) });
  }

  async #critique(
    image: SentImage,
    prompt: string | null,
    signal: AbortSignal,
  ): Promise<ProviderAnswer | null> {
    if (!this.#options.critique) return null;
    try {
      return await this.#put({ image, turns: critiqueTurns(prompt) }, signal);
    } catch (error) {
      if (!(error instanceof AssayError) || error.code !== 'JUDGE_REFUSED') throw error;
      return { text: '', tokens: null, isCut: false, queueMs: 0, inferMs: 0, cost: undefined };
    }
  }

  #put(...question: Parameters<Provider['ask']>): Promise<ProviderAnswer> {
    return this.#absence.watch(() => this.#options.provider.ask(...question));
  }

  async #sent(pixels: Pixels, signal: AbortSignal): Promise<SentImage> {
    const { maxSide } = this.#options;
    const bytes = await asPng(pixels, maxSide);
    return { type: 'image/png', bytes, key: await sha256Of(bytes, signal) };
  }

  #score(aspect: Asked, rating: Asking['rating']): AspectScore {
    const known = VLM_ASPECTS[aspect]!;
    const reads = readsOf(rating);
    const { stored } = this.#known;
    const calibration = stored?.reads === reads ? stored.aspects[aspect] : undefined;
    if (rating.kind === 'probabilities') return scoreOf(known, calibration, rating.row);
    return scoreOf({ ...known, kind: 'mean' }, calibration, [rating.level]);
  }

  #notes(askings: Asking[]): string[] {
    const { id, provider } = this.#options;
    const { stored, lack } = this.#known;
    const isWord = askings.some(({ rating }) => rating.kind === 'word');
    const uneven = stored && askings.some(({ rating }) => readsOf(rating) !== stored.reads);
    const unmeasured = stored ? askings.filter(({ aspect }) => !stored.aspects[aspect]) : [];
    const why = lack ?? (uneven ? `its calibration is of answers read by ${stored!.reads}` : null);
    const without = 'the score is the model’s own, with no percentile and no interval';
    return [
      ...(why === null ? [] : [`${id}: ${why}: ${without} (assay calibrate ratings --scorer ${id})`]),
      ...unmeasured.map(({ aspect }) => `${id}: ${aspect} is not calibrated: ${without}`),
      ...(isWord
        ? [
            `${provider.model} tells no probabilities: the score is the word it said, in steps of 1, with no spread`,
          ]
        : []),
      ...askings.flatMap(({ aspect, rating }) =>
        rating.kind === 'probabilities' && rating.share < LEAST_SHARE
          ? [
              `${aspect}: the model gave the five words only ${Math.round(100 * rating.share)} % of probability`,
            ]
          : [],
      ),
    ];
  }
}

const readsOf = ({ kind }: Asking['rating']): Reads => (kind === 'word' ? 'words' : 'probabilities');

const critiqueIn = ({ text, isCut }: ProviderAnswer): string => {
  const said = text
    .replace(/^[\s\S]*<\/think(?:ing)?>/, '')
    .replace(/\s+/g, ' ')
    .trim();
  return said === '' ? 'none was given' : `${said.slice(0, MOST_CRITIQUE)}${isCut ? ' …' : ''}`;
};

/** In characters. */
const MOST_CRITIQUE = 500;
