/** Prompt to token ids, with the tokenizer that ships with the scorer. */
import { Tokenizer } from '@huggingface/tokenizers';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { fail, reasonOf } from '../errors.ts';
import { type ModelFolder, readModelJson, type TextSpec } from './manifest.ts';
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

/** Cuts to `length`, keeping the last token: end-of-text or separator. */
function cut(ids: number[], length: number): number[] {
  return ids.length <= length ? ids : [...ids.slice(0, length - 1), ids[ids.length - 1]!];
}

/**
 * Characters that are tokenised, for each token that is read. Tokens are rarely longer; the time that a text takes must
 * not grow with what a client sends.
 */
const CHARACTERS_A_TOKEN = 64;

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

/** @param specials tokens that stand around every text */
function encodeText(tokenizer: Tokenizer, spec: TextSpec, specials: number, text: string): Encoded {
  const most = spec.contextLength * CHARACTERS_A_TOKEN;
  const isAll = text.length <= most;
  const all = idsOf(tokenizer, spec, isAll ? text : text.slice(0, most));
  const ids = cut(all, spec.contextLength);
  const tokens: Tensors = { [spec.ids]: tensor(ids, spec, spec.padId) };
  if (spec.mask) tokens[spec.mask] = tensor(Array<number>(ids.length).fill(1), spec, 0);
  return { tokens, read: ids.length - specials, of: all.length - specials, isAll };
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
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, config);
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
    const encoded = encodeText(tokenizer, spec, specials, text);
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
