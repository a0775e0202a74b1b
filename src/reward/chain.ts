/** 5 to 7 for one image: prepares what each graph of a scorer wants, and runs them in order. */
import { hash } from 'node:crypto';
import { orAbort } from '../lib/abort.ts';
import type { Pixels } from '../types/image.ts';
import type { EmbeddingCache } from './graph/embeddings.ts';
import type { Graph } from './graph/graph.ts';
import { numbers, type Tensors } from './graph/tensor.ts';
import { isCheap, type Preparer } from './image/prepare.ts';
import type { Language } from './language.ts';
import type { GraphSpec, ImageSpec } from './model/manifest.ts';
import type { Reading, TextEncoder } from './text/tokenize.ts';

/** One graph of the chain, and the sessions that run it. */
export interface Link extends GraphSpec {
  run: Graph;
  /** Names the weights: results of equal weights are shared between scorers. */
  weights: string;
}

export interface ChainOptions {
  /** In order; the last one judges. */
  links: Link[];
  image: ImageSpec;
  preparer: Pick<Preparer, 'prepare'>;
  encode: TextEncoder | undefined;
  embeddings: EmbeddingCache;
  /** What is asked of a language model elsewhere; absent: nothing. */
  language?: Language | undefined;
}

/** What the last graph says of one image. */
export interface ChainResult {
  outputs: Record<string, number[]>;
  /** What was cut, for people. */
  notes: string[];
  /** Whether something was. */
  truncated: boolean;
  /** Sums over the graphs that were run for this image. */
  queueMs: number;
  inferMs: number;
  /** Tokens that a language model elsewhere read and wrote, where one was asked and tells. */
  tokens: number | undefined;
}

/** A prompt as far as the scorer knows its words. */
export interface Understood {
  /** Null when it knows none of them: they tell it nothing. */
  prompt: string | null;
  notes: string[];
}

/** One image on its way through the chain. */
interface Trip {
  pixels: Pixels;
  imageKey: () => string;
  prompt: string;
  signal: AbortSignal;
  queueMs: number;
  inferMs: number;
  tokens: number | undefined;
  notes: string[];
  /** Whether graphs are only tried: nobody elsewhere is asked. */
  isRehearsal: boolean;
}

/** Texts that a graph reads for a prompt. A prompt may hold any characters, so it is put in literally. */
const render = (texts: string[], prompt: string): string[] =>
  texts.map((text) => text.replaceAll('{prompt}', () => prompt));

function inWords({ read, of, isAll }: Reading): string {
  const what =
    of > read ? `${read} of the prompt's ${isAll ? '' : 'more than '}${of} tokens` : 'the beginning';
  return `the scorer read ${what}; the rest was cut`;
}

/** Hashing takes milliseconds a megapixel, so whoever knows the image by something says so. */
const keyOf = ({ key, data, width, height }: Pixels, spec: ImageSpec): string =>
  [key ?? `${hash('sha256', data)} ${width}x${height}`, JSON.stringify(spec)].join(' ');

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

export class Chain {
  readonly #links: Link[];
  readonly #image: ImageSpec;
  readonly #preparer: Pick<Preparer, 'prepare'>;
  readonly #encode: TextEncoder | undefined;
  readonly #embeddings: EmbeddingCache;
  readonly #language: Language | undefined;
  readonly #last: Link;
  /** Those whose outputs are kept for the next image or prompt. */
  readonly #early: Link[];
  readonly #imageLink: Link;
  readonly #begun = new WeakMap<Pixels, Promise<Tensors>>();

  constructor({ links, image, preparer, encode, embeddings, language }: ChainOptions) {
    this.#links = links;
    this.#image = image;
    this.#preparer = preparer;
    this.#encode = encode;
    this.#embeddings = embeddings;
    this.#language = language;
    this.#last = links.at(-1)!;
    this.#early = links.slice(0, -1);
    this.#imageLink = links.find((link) => link.per === 'image') ?? this.#last;
  }

  understand(prompt: string | null): Understood {
    if (prompt === null || !this.#encode) return { prompt, notes: [] };
    const { words, unknown } = this.#encode.reading(prompt);
    if (unknown === 0) return { prompt, notes: [] };
    const isBlind = unknown === words;
    const notes = isBlind
      ? ["the scorer knows none of the prompt's words: it judged the image as if there were no prompt"]
      : [`the scorer does not know ${unknown} of the prompt's ${words} words and parts of words`];
    return { prompt: isBlind ? null : prompt, notes };
  }

  /** Begins what is needed of the pixels whatever the prompt is, where that is cheap; `run` goes on with it. */
  ahead(pixels: Pixels): void {
    if (!isCheap(this.#image)) return;
    const tensors = this.#prepare(pixels, new AbortController().signal);
    tensors.catch(() => {}); // told to whoever goes on with it
    this.#begun.set(pixels, tensors);
  }

  /** @param isRehearsal nobody elsewhere is asked: what they would say has stand-ins */
  async run(
    pixels: Pixels,
    prompt: string | null,
    signal: AbortSignal,
    isRehearsal = false,
  ): Promise<ChainResult> {
    signal.throwIfAborted();
    const trip = this.#depart(pixels, prompt, signal, isRehearsal);
    const feeds = await this.#lastFeeds(trip);
    signal.throwIfAborted();
    const outputs = await infer(this.#last, feeds, trip, signal);
    const rows = Object.entries(outputs).map(([name, tensor]) => [name, numbers(tensor)] as const);
    const notes = [...(prompt === null ? [] : this.#cuts(prompt)), ...trip.notes];
    const { queueMs, inferMs, tokens } = trip;
    const truncated = notes.length > 0;
    return { outputs: Object.fromEntries(rows), notes, truncated, queueMs, inferMs, tokens };
  }

  /** What each graph is fed with for one image, by its name; with stand-ins, as in a rehearsal. */
  async feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>> {
    const trip = this.#depart(pixels, prompt, signal, true);
    const found = this.#links.map(async (link): Promise<[string, Tensors]> => {
      const feeds = await (link === this.#last ? this.#lastFeeds(trip) : this.#ownFeeds(link, trip, signal));
      return [link.graph, feeds];
    });
    return Object.fromEntries(await Promise.all(found));
  }

  #depart(pixels: Pixels, prompt: string | null, signal: AbortSignal, isRehearsal: boolean): Trip {
    const imageKey = once(() => keyOf(pixels, this.#image));
    const spent = { queueMs: 0, inferMs: 0, tokens: undefined };
    return { pixels, imageKey, prompt: prompt ?? '', signal, ...spent, notes: [], isRehearsal };
  }

  async #lastFeeds(trip: Trip): Promise<Tensors> {
    const found = await Promise.all([
      this.#ownFeeds(this.#last, trip, trip.signal),
      this.#said(trip),
      ...this.#early.map((link) => this.#embed(link, trip)),
    ]);
    return Object.assign({}, ...found);
  }

  async #ownFeeds(link: Link, trip: Trip, signal: AbortSignal): Promise<Tensors> {
    const image = link === this.#imageLink ? await this.#prepare(trip.pixels, signal) : {};
    return { ...image, ...this.#tokens(link, trip.prompt) };
  }

  /** What a language model elsewhere has to say; it costs, and so is asked for by `run` alone. */
  async #said(trip: Trip): Promise<Tensors> {
    if (!this.#language) return {};
    if (trip.isRehearsal) return this.#language.rehearse();
    const { pixels, prompt, signal } = trip;
    const { inputs, notes, spent } = await this.#language.hear(
      { pixels, key: trip.imageKey(), prompt },
      signal,
    );
    trip.queueMs += spent.queueMs;
    trip.inferMs += spent.inferMs;
    trip.tokens = spent.cost;
    trip.notes.push(...notes);
    return inputs;
  }

  /** Others may wait for the same embeddings, so a caller who gives up does not stop the making of them. */
  async #embed(link: Link, trip: Trip): Promise<Tensors> {
    const about = link.per === 'image' ? trip.imageKey() : JSON.stringify(render(link.texts!, trip.prompt));
    const never = new AbortController().signal;
    const made = this.#embeddings.get(hash('sha256', `${link.weights} ${about}`), async () =>
      infer(link, await this.#ownFeeds(link, trip, never), trip, never),
    );
    return orAbort(made, trip.signal);
  }

  #prepare(pixels: Pixels, signal: AbortSignal): Promise<Tensors> {
    return this.#begun.get(pixels) ?? this.#preparer.prepare(pixels, this.#image, signal);
  }

  /** A graph that stands alone reads the prompt as it is. */
  get #isAlone(): boolean {
    return this.#early.length === 0;
  }

  #tokens(link: Link, prompt: string): Tensors {
    if (link.texts) return this.#encode!.many(render(link.texts, prompt));
    return this.#isAlone && this.#encode ? this.#encode.one(prompt) : {};
  }

  /** How much of the prompt was read, where a graph did not read all of it. */
  #cuts(prompt: string): string[] {
    const texts = this.#links.flatMap((link) =>
      render(link.texts ?? (this.#isAlone && this.#encode ? ['{prompt}'] : []), prompt),
    );
    const readings = texts.map((text) => this.#encode!.reading(text));
    const cut = readings.filter(({ read, of, isAll }) => read < of || !isAll);
    return [...new Set(cut.map(inWords))];
  }
}

async function infer(link: Link, feeds: Tensors, trip: Trip, signal: AbortSignal): Promise<Tensors> {
  const { outputs, queueMs, inferMs } = await link.run.infer(feeds, signal);
  trip.queueMs += queueMs;
  trip.inferMs += inferMs;
  return outputs;
}
