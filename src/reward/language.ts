/** 5 prepare: what a language model elsewhere holds of an image, as inputs of the graph that judges. */
import { fail } from '../errors/error.ts';
import type { Pixels } from '../types/image.ts';
import type { LanguageModel, ProviderAnswer, SentImage, Spent, States, Turn } from '../types/provider.ts';
import { Absence } from './absence.ts';
import type { Tensors } from './graph/tensor.ts';
import { asPng } from './image/decode.ts';
import type { LanguageSpec } from './model/manifest.ts';

type InputSpec = LanguageSpec['inputs'][number];

/** What a scorer is told of one image. */
export interface Heard {
  inputs: Tensors;
  /** What was cut, for people. */
  notes: string[];
  /** All questions together: the longest wait, and what the whole took beside it. */
  spent: Spent;
}

/** The image as it was sent, and a name for its bytes. */
export interface Shown {
  pixels: Pixels;
  key: string;
  prompt: string;
}

/** The models look at the whole of it: what they make smaller, they make smaller as they were trained to. */
const ANY_SIDE = 65_535;

/** @throws LANGUAGE_MODEL_MISSING where there is no model */
export function requireModel(
  scorer: string,
  spec: LanguageSpec | undefined,
  model: LanguageModel | undefined,
): void {
  if (!spec || model) return;
  const lack = `languageModels.${scorer} does not say where that is`;
  throw fail('LANGUAGE_MODEL_MISSING', { scorer, model: spec.model, lack });
}

export class Language {
  readonly #scorer: string;
  readonly #spec: LanguageSpec;
  readonly #model: LanguageModel | undefined;
  readonly #absence = new Absence();

  constructor(scorer: string, spec: LanguageSpec, model: LanguageModel | undefined) {
    this.#scorer = scorer;
    this.#spec = spec;
    this.#model = model;
  }

  /** Why the model does not answer now; null: it does, as far as is known. */
  get fault(): string | null {
    return this.#absence.why;
  }

  /** @throws LANGUAGE_MODEL_MISSING, LANGUAGE_STATES, LANGUAGE_ANSWER, what asking throws, and the signal's reason */
  async hear({ pixels, key, prompt }: Shown, signal: AbortSignal): Promise<Heard> {
    requireModel(this.#scorer, this.#spec, this.#model);
    const start = performance.now();
    const image: SentImage = { type: 'image/png', bytes: await asPng(pixels, ANY_SIDE), key };
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    try {
      const { inputs } = this.#spec;
      const all = await Promise.all(inputs.map((spec) => this.#listen(spec, image, prompt, until)));
      return heard(inputs, all, performance.now() - start);
    } finally {
      // When one question fails, the others are of no use.
      stop.abort(fail('CANCELLED', {}));
    }
  }

  /** What stands in for it where graphs are tried: numbers that every machine makes the same, and nobody is asked. */
  rehearse(): Tensors {
    const { width, inputs } = this.#spec;
    const rows = inputs.map(({ input, pool, maxPositions = REHEARSED }) => {
      const positions = Math.min(REHEARSED, maxPositions);
      const dims = pool === 'mean' ? [width] : [positions, width];
      return [
        input,
        { dtype: 'float32' as const, dims, data: standIn(pool === 'mean' ? 1 : positions, width) },
      ];
    });
    return Object.fromEntries(rows);
  }

  async #listen(spec: InputSpec, image: SentImage, prompt: string, signal: AbortSignal): Promise<Listened> {
    const { turns, answers } = await this.#converse(spec, image, prompt, signal);
    const { pool, maxPositions } = spec;
    const check = (states: States) => this.#check(states);
    const states = await this.#absence.watch(() =>
      this.#model!.states.states({ image, turns, pool, maxPositions }, signal, check),
    );
    const cut = `${this.#model!.chat.model} was cut off at the most tokens (maxTokens): the scorer read what it had said until then`;
    const notes = answers.some(({ isCut }) => isCut) ? [cut] : [];
    return { states, notes, spent: [...answers, states] };
  }

  /** The turns in words; what the model has to say first is asked for. */
  async #converse(
    { turns }: InputSpec,
    image: SentImage,
    prompt: string,
    signal: AbortSignal,
  ): Promise<{ turns: Turn[]; answers: ProviderAnswer[] }> {
    const said: Turn[] = [];
    const answers: ProviderAnswer[] = [];
    for (const { role, text } of turns) {
      if (text !== undefined) {
        said.push({ role, ...rendered(text, prompt) });
        continue;
      }
      const { chat } = this.#model!;
      const check = ({ text }: ProviderAnswer) => this.#requireWords(text, chat.model);
      const answer = await this.#absence.watch(() => chat.ask({ image, turns: [...said] }, signal, check));
      answers.push(answer);
      said.push({ role, text: answer.text });
    }
    return { turns: said, answers };
  }

  /** @throws LANGUAGE_ANSWER */
  #requireWords(text: string, model: string): void {
    if (text.trim() !== '') return;
    throw fail('LANGUAGE_ANSWER', { model, scorer: this.#scorer, fault: 'it said nothing' });
  }

  /** @throws LANGUAGE_STATES */
  #check({ width }: States): void {
    if (width === this.#spec.width) return;
    const { url } = this.#model!.states;
    const found = `hidden states of ${width} numbers`;
    throw fail('LANGUAGE_STATES', {
      url,
      found,
      expected: `those of ${this.#spec.model}, ${this.#spec.width}`,
    });
  }
}

interface Listened {
  states: States;
  notes: string[];
  spent: Spent[];
}

/** A prompt may hold any characters, so it is put in literally, and last. */
function rendered(text: string, prompt: string): Pick<Turn, 'text' | 'imageAt'> {
  const [before, after] = text.split('{image}').map((part) => part.replaceAll('{prompt}', () => prompt));
  return after === undefined ? { text: before! } : { text: before! + after, imageAt: before!.length };
}

/** Positions of a rehearsal. */
const REHEARSED = 16;

/** Fractions of −1 to 1 in a pattern that repeats nowhere soon. */
const standIn = (rows: number, width: number): Float32Array =>
  Float32Array.from({ length: rows * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return ((row * 31 + column * 17) % 101) / 50 - 1;
  });

function heard(specs: readonly InputSpec[], all: readonly Listened[], elapsedMs: number): Heard {
  const inputs = specs.map(({ input, pool }, i) => {
    const { data, rows, width } = all[i]!.states;
    return [input, { dtype: 'float32' as const, dims: pool === 'mean' ? [width] : [rows, width], data }];
  });
  const cuts = specs.flatMap(({ pool }, i) => {
    const { rows, positions } = all[i]!.states;
    return pool === 'none' && positions !== undefined && positions > rows
      ? [`the scorer read ${rows} of the conversation's ${positions} positions; the rest was cut`]
      : [];
  });
  const spent = all.flatMap((one) => one.spent);
  const queueMs = Math.max(0, ...spent.map((one) => one.queueMs));
  const costs = spent.map(({ cost }) => cost);
  const cost = costs.every((one) => one !== undefined) ? costs.reduce((sum, one) => sum + one, 0) : undefined;
  return {
    inputs: Object.fromEntries(inputs),
    notes: [...new Set(all.flatMap(({ notes }) => notes)), ...cuts],
    spent: { queueMs, inferMs: elapsedMs - queueMs, cost },
  };
}
