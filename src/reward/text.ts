/** Prompt to token ids, with the tokenizer that ships with the scorer. */
import { Tokenizer } from '@huggingface/tokenizers';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { fail, reasonOf } from '../errors.ts';
import { type ModelFolder, readModelJson, type TextSpec } from './manifest.ts';
import { openMending } from './mending.ts';
import { stack, type Tensors } from './tensor.ts';

/** Token tensors by graph input name. */
export interface TextEncoder {
  /** `[contextLength]` each. */
  one(text: string): Tensors;
  /** `[texts, contextLength]` each. */
  many(texts: string[]): Tensors;
}

/** Prompts of a batch repeat; their tokens are kept. */
const CACHED_TEXTS = 1024;

/** Letters of a text that are mended: a guess of its encoding looks at all of them, and no context is as long. */
const MOST_LETTERS = 20_000;
/** Letters a token that are read at first; most words of English have four. */
const LETTERS = 16;

/** Reads only as much of a long text as its context has room for: splitting words of it takes seconds. */
function encodeBeginning(tokenizer: Tokenizer, text: string, room: number) {
  for (let length = LETTERS * room; ; length *= 4) {
    const found = tokenizer.encode(text.slice(0, length));
    if (length >= text.length || found.ids.length >= 2 * room) return found;
  }
}

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

function tokensOf(tokenizer: Tokenizer, spec: TextSpec, text: string): Tensors {
  const encoded = encodeBeginning(tokenizer, text, spec.contextLength);
  const unknown = encoded.ids.findIndex((id: unknown) => !Number.isInteger(id));
  if (unknown >= 0)
    throw new Error(`${spec.tokenizer} has no id for "${encoded.tokens[unknown]}" and no unknown token`);
  const ids = cut(encoded.ids, spec.contextLength);
  const tokens: Tensors = { [spec.ids]: tensor(ids, spec, spec.padId) };
  if (spec.mask) tokens[spec.mask] = tensor(Array<number>(ids.length).fill(1), spec, 0);
  return tokens;
}

/** Loads the tokenizer of a model folder. @throws MANIFEST_INVALID, MODEL_FILE_MISSING */
export function openTextEncoder({ folder }: ModelFolder, spec: TextSpec): TextEncoder {
  const json = readModelJson(folder, spec.tokenizer, z.looseObject({}));
  const config = spec.tokenizerConfig ? readModelJson(folder, spec.tokenizerConfig, z.looseObject({})) : {};
  const cache = new LRUCache<string, Tensors>({ max: CACHED_TEXTS });
  const mend = spec.mending ? openMending(folder, spec.mending) : (text: string) => text;
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
  const one = (text: string): Tensors => {
    const known = cache.get(text);
    if (known) return known;
    const tokens = tokensOf(tokenizer, spec, mend(text.slice(0, MOST_LETTERS)));
    cache.set(text, tokens);
    return tokens;
  };
  return {
    one,
    many(texts) {
      const all = texts.map(one);
      const names = Object.keys(all[0]!);
      return Object.fromEntries(names.map((name) => [name, stack(all.map((tokens) => tokens[name]!))]));
    },
  };
}
