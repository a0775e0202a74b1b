/** Prompt to token ids, with the tokenizer that ships with the scorer. */
import { Tokenizer } from '@huggingface/tokenizers';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { fail, reasonOf } from '../errors.ts';
import { type ModelFolder, readModelJson, type TextSpec } from './manifest.ts';
import { openMending } from './mending.ts';
import { stack, type Tensors } from './tensor.ts';

/** How much of a text a graph gets to see, in tokens of the text itself. */
export interface Reading {
  read: number;
  of: number;
  /** False when the text is so long that it was not looked at to its end. */
  isAll: boolean;
}

/** Token tensors by graph input name. */
export interface TextEncoder {
  /** `[contextLength]` each. */
  one(text: string): Tensors;
  /** `[texts, contextLength]` each. */
  many(texts: string[]): Tensors;
  reading(text: string): Reading;
}

/** Prompts of a batch repeat; their tokens are kept, while the texts together have no more characters than this. */
const CACHED_TEXTS = 1024;
const CACHED_CHARACTERS = 2 ** 22;

/** Characters of a text that are looked at: a guess of its encoding looks at all of them, and no context is as long. */
const MOST_CHARACTERS = 20_000;
/** Characters a token that are read at first; most words of English have four. */
const CHARACTERS_A_TOKEN = 16;

/** Cuts to `length`, keeping the last token: end-of-text or separator. */
function cut(ids: number[], length: number): number[] {
  return ids.length <= length ? ids : [...ids.slice(0, length - 1), ids[ids.length - 1]!];
}

/** Fills up to `length`; int64 graphs get BigInts. */
function tensor(values: number[], spec: TextSpec, filler: number): Tensors[string] {
  const padded = [...values, ...Array<number>(spec.contextLength - values.length).fill(filler)];
  const dims = [spec.contextLength];
  return spec.dtype === 'int32'
    ? { dtype: 'int32', dims, data: Int32Array.from(padded) }
    : { dtype: 'int64', dims, data: BigInt64Array.from(padded, BigInt) };
}

/** A text as its graph gets it. */
interface Encoded extends Reading {
  tokens: Tensors;
}

function idsOf(tokenizer: Tokenizer, spec: TextSpec, text: string): number[] {
  const encoded = tokenizer.encode(text);
  const unknown = encoded.ids.findIndex((id: unknown) => !Number.isInteger(id));
  if (unknown >= 0)
    throw new Error(`${spec.tokenizer} has no id for "${encoded.tokens[unknown]}" and no unknown token`);
  return encoded.ids;
}

/** Reads only as much of a long text as its context has room for: splitting words of it takes seconds. */
function beginningOf(tokenizer: Tokenizer, spec: TextSpec, text: string): { ids: number[]; isAll: boolean } {
  for (let length = CHARACTERS_A_TOKEN * spec.contextLength; ; length *= 4) {
    const ids = idsOf(tokenizer, spec, text.slice(0, length));
    const isAll = length >= text.length;
    if (isAll || ids.length >= 2 * spec.contextLength) return { ids, isAll };
  }
}

type Mend = (text: string) => string;

/** @param specials tokens that stand around every text */
function encodeText(
  tokenizer: Tokenizer,
  spec: TextSpec,
  mend: Mend,
  specials: number,
  text: string,
): Encoded {
  const all = beginningOf(tokenizer, spec, mend(text.slice(0, MOST_CHARACTERS)));
  const ids = cut(all.ids, spec.contextLength);
  const tokens: Tensors = { [spec.ids]: tensor(ids, spec, spec.padId) };
  if (spec.mask) tokens[spec.mask] = tensor(Array<number>(ids.length).fill(1), spec, 0);
  const isAll = all.isAll && text.length <= MOST_CHARACTERS;
  return { tokens, read: ids.length - specials, of: all.ids.length - specials, isAll };
}

/** Loads the tokenizer of a model folder. @throws MANIFEST_INVALID, MODEL_FILE_MISSING */
export function openTextEncoder({ folder }: ModelFolder, spec: TextSpec): TextEncoder {
  const json = readModelJson(folder, spec.tokenizer, z.looseObject({}));
  const config = spec.tokenizerConfig ? readModelJson(folder, spec.tokenizerConfig, z.looseObject({})) : {};
  const cache = new LRUCache<string, Encoded>({
    max: CACHED_TEXTS,
    maxSize: CACHED_CHARACTERS,
    sizeCalculation: (_, text) => text.length + 1,
  });
  const mend: Mend = spec.mending ? openMending(folder, spec.mending) : (text) => text;
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(spec.mending ? { ...json, normalizer: null } : json, config);
  } catch (cause) {
    throw fail(
      'MANIFEST_INVALID',
      { path: `${folder}/${spec.tokenizer}`, reason: reasonOf(cause) },
      { cause },
    );
  }
  const specials = idsOf(tokenizer, spec, '').length;
  const encode = (text: string): Encoded => {
    const known = cache.get(text);
    if (known) return known;
    const encoded = encodeText(tokenizer, spec, mend, specials, text);
    cache.set(text, encoded);
    return encoded;
  };
  return {
    one: (text) => encode(text).tokens,
    reading: (text) => encode(text),
    many(texts) {
      const all = texts.map((text) => encode(text).tokens);
      const names = Object.keys(all[0]!);
      return Object.fromEntries(names.map((name) => [name, stack(all.map((tokens) => tokens[name]!))]));
    },
  };
}
