/** Step 1, receive: wire items -> ScoreItem. What is wrong with one image surfaces in its `fetch`, so it fails alone. */
import { type AssayError, fail } from '../../../errors/error.ts';
import type { ImageInput } from '../../../types/image.ts';
import type { ScoreItem } from '../../../types/request.ts';
import { readAllowed } from '../http/allowed-paths.ts';
import { decodeBase64, decodeLongBase64 } from './base64.ts';
import { LongText } from './long-text.ts';
import { parse } from './parse.ts';
import { itemBounds, MOST_ID, MOST_SOURCE, type ScoreBody, sizeBounds } from './schemas.ts';

export interface FetchRules {
  allowedDirs: readonly string[];
  maxImageBytes: number;
}

/** A body with items, whatever else is in it. */
export type ItemsBody = Pick<ScoreBody, 'items' | 'prompt' | 'workflow' | 'promptFromFile'>;

type WireItem = ScoreBody['items'][number];
type WireImage = NonNullable<WireItem['image']>;

type WireBytes = string | LongText | Uint8Array;

/** @throws IMAGE_ENCODING; BAD_REQUEST for an http(s) URL, which is never fetched */
export function bytesOf(data: WireBytes): Uint8Array | Promise<Uint8Array> {
  if (data instanceof LongText) return decodeLongBase64(data);
  return typeof data === 'string' ? decodeBase64(data) : data;
}

function encoded(bytes: Uint8Array, maxBytes: number): ImageInput {
  if (bytes.length > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: bytes.length, maxBytes });
  return { kind: 'encoded', bytes };
}

async function decodeImage(image: WireImage, rules: FetchRules): Promise<ImageInput> {
  if (typeof image === 'string' || image instanceof LongText || image instanceof Uint8Array)
    return encoded(await bytesOf(image), rules.maxImageBytes);
  const { format, width, height, data } = image;
  return { kind: 'raw', format, width, height, bytes: await bytesOf(data) };
}

function fetcher(item: WireItem, rules: FetchRules): ScoreItem['fetch'] {
  if (item.path !== undefined) {
    const { path } = item;
    return async (signal) =>
      encoded(await readAllowed(path, rules.allowedDirs, rules.maxImageBytes, signal), rules.maxImageBytes);
  }
  // let go of on fetch: the text of a decoded image must not wait for the rest of its request
  let image: WireImage | undefined = item.image;
  return () => {
    const mine = image!;
    image = undefined;
    return decodeImage(mine, rules);
  };
}

/** Why an item cannot be taken as it is. */
function refusalOf({ image, ...item }: WireItem, index: number): AssayError | undefined {
  try {
    parse(itemBounds, item, ['items', index]);
    if (isRaw(image)) parse(sizeBounds, image, ['items', index, 'image']);
    return undefined;
  } catch (error) {
    return error as AssayError;
  }
}

const isRaw = (image: WireImage | undefined): boolean =>
  typeof image === 'object' && !(image instanceof LongText) && !(image instanceof Uint8Array);

/** Items of a parsed body, in request order, with the request-wide prompt and default ids filled in. */
export function toScoreItems(body: ItemsBody, rules: FetchRules): ScoreItem[] {
  return body.items.map((item, index) => {
    const refusal = refusalOf(item, index);
    return {
      id: item.id?.slice(0, MOST_ID) ?? String(index),
      group: item.group?.slice(0, MOST_ID),
      source: (item.source ?? item.path)?.slice(0, MOST_SOURCE) ?? null,
      prompt: item.prompt === undefined ? body.prompt : item.prompt,
      workflow: body.workflow,
      promptFromFile: body.promptFromFile,
      fetch: refusal ? () => Promise.reject(refusal) : fetcher(item, rules),
    };
  });
}
