/** 5 to 7 for one image: prepares what each graph of a scorer wants, and runs them in order. */
import { hash } from 'node:crypto';
import { orAbort } from '../lib/abort.ts';
import type { Pixels } from '../types.ts';
import type { EmbeddingCache } from './graph/embeddings.ts';
import type { Graph } from './graph/graph.ts';
import { numbers, type Tensors } from './graph/tensor.ts';
import { isCheap, type Preparer } from './image/prepare.ts';
import type { GraphSpec, ImageSpec } from './model/manifest.ts';
import type { Reading, TextEncoder } from './text/tokenize.ts';

/** A link and the graph that does it. */
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
}

/** A prompt as far as the scorer knows its words. */
export interface Understood {
  /** Null when it knows none of them: they tell it nothing. */
  prompt: string | null;
  notes: string[];
}

export interface Chain {
  understand(prompt: string | null): Understood;
  /** Begins what is needed of the pixels whatever the prompt is, where that is cheap; `run` goes on with it. */
  ahead(pixels: Pixels): void;
  run(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<ChainResult>;
  /** What each graph is fed with for one image, by its name. */
  feeds(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Record<string, Tensors>>;
}

/** One image on its way through the links. */
interface Trip {
  pixels: Pixels;
  imageKey: () => string;
  prompt: string;
  signal: AbortSignal;
  queueMs: number;
  inferMs: number;
}

/** Texts of a link for a prompt. A prompt may hold any characters, so it is put in literally. */
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

export function createChain({ links, image, preparer, encode, embeddings }: ChainOptions): Chain {
  const last = links.at(-1)!;
  const early = links.slice(0, -1);
  const imageLink = links.find((link) => link.per === 'image') ?? last;
  const alone = early.length === 0;

  const tokens = (link: Link, prompt: string): Tensors => {
    if (link.texts) return encode!.many(render(link.texts, prompt));
    return alone && encode ? encode.one(prompt) : {};
  };

  /** How much of the prompt was read, where a link did not read all of it. */
  const cuts = (prompt: string): string[] => {
    const texts = links.flatMap((link) =>
      render(link.texts ?? (alone && encode ? ['{prompt}'] : []), prompt),
    );
    const readings = texts.map((text) => encode!.reading(text));
    const cut = readings.filter(({ read, of, isAll }) => read < of || !isAll);
    return [...new Set(cut.map(inWords))];
  };

  const understand = (prompt: string | null): Understood => {
    if (prompt === null || !encode) return { prompt, notes: [] };
    const { words, unknown } = encode.reading(prompt);
    if (unknown === 0) return { prompt, notes: [] };
    const isBlind = unknown === words;
    const notes = isBlind
      ? ["the scorer knows none of the prompt's words: it judged the image as if there were no prompt"]
      : [`the scorer does not know ${unknown} of the prompt's ${words} words and parts of words`];
    return { prompt: isBlind ? null : prompt, notes };
  };

  const begun = new WeakMap<Pixels, Promise<Tensors>>();
  const prepare = (pixels: Pixels, signal: AbortSignal): Promise<Tensors> =>
    begun.get(pixels) ?? preparer.prepare(pixels, image, signal);

  const ownFeeds = async (link: Link, trip: Trip, signal: AbortSignal): Promise<Tensors> => ({
    ...(link === imageLink ? await prepare(trip.pixels, signal) : {}),
    ...tokens(link, trip.prompt),
  });

  const infer = async (link: Link, feeds: Tensors, trip: Trip, signal: AbortSignal): Promise<Tensors> => {
    const { outputs, queueMs, inferMs } = await link.run.infer(feeds, signal);
    trip.queueMs += queueMs;
    trip.inferMs += inferMs;
    return outputs;
  };

  /** Others may wait for the same embeddings, so a caller who gives up does not stop the making of them. */
  const embed = async (link: Link, trip: Trip): Promise<Tensors> => {
    const about = link.per === 'image' ? trip.imageKey() : JSON.stringify(render(link.texts!, trip.prompt));
    const never = new AbortController().signal;
    const made = embeddings.get(hash('sha256', `${link.weights} ${about}`), async () =>
      infer(link, await ownFeeds(link, trip, never), trip, never),
    );
    return orAbort(made, trip.signal);
  };

  const depart = (pixels: Pixels, prompt: string | null, signal: AbortSignal): Trip => ({
    pixels,
    imageKey: once(() => keyOf(pixels, image)),
    prompt: prompt ?? '',
    signal,
    queueMs: 0,
    inferMs: 0,
  });

  const lastFeeds = async (trip: Trip): Promise<Tensors> => {
    const found = await Promise.all([
      ownFeeds(last, trip, trip.signal),
      ...early.map((link) => embed(link, trip)),
    ]);
    return Object.assign({}, ...found);
  };

  return {
    understand,
    ahead(pixels) {
      if (!isCheap(image)) return;
      const tensors = prepare(pixels, new AbortController().signal);
      tensors.catch(() => {}); // told to whoever goes on with it
      begun.set(pixels, tensors);
    },
    async run(pixels, prompt, signal) {
      signal.throwIfAborted();
      const trip = depart(pixels, prompt, signal);
      const feeds = await lastFeeds(trip);
      signal.throwIfAborted();
      const outputs = await infer(last, feeds, trip, signal);
      const rows = Object.entries(outputs).map(([name, tensor]) => [name, numbers(tensor)] as const);
      const notes = prompt === null ? [] : cuts(prompt);
      const { queueMs, inferMs } = trip;
      return { outputs: Object.fromEntries(rows), notes, truncated: notes.length > 0, queueMs, inferMs };
    },
    async feeds(pixels, prompt, signal) {
      const trip = depart(pixels, prompt, signal);
      const found = links.map(async (link): Promise<[string, Tensors]> => {
        const feeds = await (link === last ? lastFeeds(trip) : ownFeeds(link, trip, signal));
        return [link.graph, feeds];
      });
      return Object.fromEntries(await Promise.all(found));
    },
  };
}
