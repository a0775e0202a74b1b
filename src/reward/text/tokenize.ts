/** Prompt to token ids, with the tokenizer that ships with the scorer. */
import { Tokenizer } from '@huggingface/tokenizers';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { fail, reasonOf } from '../../errors/error.ts';
import { stack, type Tensors } from '../graph/tensor.ts';
import { type ModelFolder, readModelJson, type TextSpec } from '../model/manifest.ts';
import { openMending } from './mending.ts';

/** How much of a text a graph gets to see, in tokens of the text itself. */
export interface Reading {
  read: number;
  of: number;
  /** False when the text is so long that it was not looked at to its end. */
  isAll: boolean;
  /** Words, or parts of words, among what is read, and how many of them the tokenizer has no other token for. */
  words: number;
  unknown: number;
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
function cut<T>(all: T[], length: number): T[] {
  return all.length <= length ? all : [...all.slice(0, length - 1), all[all.length - 1]!];
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

interface Token {
  id: number;
  text: string;
}

function tokensOf(tokenizer: Tokenizer, spec: TextSpec, text: string): Token[] {
  const { ids, tokens } = tokenizer.encode(text);
  const unknown = ids.findIndex((id: unknown) => !Number.isInteger(id));
  if (unknown >= 0)
    throw new Error(`${spec.tokenizer} has no id for "${tokens[unknown]}" and no unknown token`);
  return ids.map((id: number, i: number) => ({ id, text: tokens[i]! }));
}

type Words = Pick<Reading, 'words' | 'unknown'>;

/** Marks between words are no words; the token for what is unknown may stand for either. */
function wordsOf(tokenizer: Tokenizer, tokens: Token[]): Words {
  const isUnknown = ({ id }: Token) => id === tokenizer.model?.unk_token_id;
  const words = tokens.filter((token) => isUnknown(token) || /[\p{L}\p{N}]/u.test(token.text));
  return { words: words.length, unknown: words.filter(isUnknown).length };
}

/** Reads only as much of a long text as its context has room for: splitting words of it takes seconds. */
function beginningOf(tokenizer: Tokenizer, spec: TextSpec, text: string): { all: Token[]; isAll: boolean } {
  for (let length = CHARACTERS_A_TOKEN * spec.contextLength; ; length *= 4) {
    const all = tokensOf(tokenizer, spec, text.slice(0, length));
    const isAll = length >= text.length;
    if (isAll || all.length >= 2 * spec.contextLength) return { all, isAll };
  }
}

type Mend = (text: string) => string;

/** Tokens that a short text has whatever it says, where the manifest wants that. */
const ownLength = (text: string, { short }: TextSpec): number | undefined =>
  short && text.split(' ').length <= short.words ? short.tokens : undefined;

/** @param specials tokens that stand around every text; one of them may be the one for what is unknown */
function encodeText(
  tokenizer: Tokenizer,
  spec: TextSpec,
  mend: Mend,
  specials: Token[],
  text: string,
): Encoded {
  const { all, isAll } = beginningOf(tokenizer, spec, mend(text.slice(0, MOST_CHARACTERS)));
  const own = ownLength(text, spec);
  const kept = cut(all, own ?? spec.contextLength);
  const ids = kept.map(({ id }) => id);
  const tokens: Tensors = { [spec.ids]: tensor(ids, spec, spec.padId) };
  if (spec.mask) tokens[spec.mask] = tensor(Array<number>(own ?? ids.length).fill(1), spec, 0);
  const [found, around] = [wordsOf(tokenizer, kept), wordsOf(tokenizer, specials)];
  return {
    tokens,
    read: kept.length - specials.length,
    of: all.length - specials.length,
    isAll: isAll && text.length <= MOST_CHARACTERS,
    words: found.words - around.words,
    unknown: found.unknown - around.unknown,
  };
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
  const specials = tokensOf(tokenizer, spec, '');
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
