/** The answer to a request: its pictures, told apart from grids, masks and whatever else comes along. */
import { z } from 'zod';
import { isObject } from '../../link/values.ts';
import type { Request } from '../workflow/request.ts';
import { carries, extensionOf, sizeOf } from './picture.ts';

export const answerSchema = z.looseObject({
  images: z.array(z.string()).nullish(),
  /** JSON as a text, which is empty where nothing was made. */
  info: z.unknown(),
});
type Answer = z.infer<typeof answerSchema>;

const infoSchema = z.looseObject({
  infotexts: z.array(z.string()).catch([]),
  all_seeds: z.array(z.number()).catch([]),
  index_of_first_image: z.int().min(0).catch(0),
  width: z.number().catch(0),
  height: z.number().catch(0),
  version: z.string().optional().catch(undefined),
});
type Info = z.infer<typeof infoSchema>;

export interface Made {
  bytes: Uint8Array;
  /** `png`, by its bytes. */
  extension: string;
  /** Null when the host tells none. */
  infotext: string | null;
}

export interface Read {
  made: Made[];
  /** Pictures of the answer that are none of the run: grids, masks. */
  others: number;
  /** Whether a picture is smaller than it was to be: a preview in its place. */
  isPartial: boolean;
  /** Whether the host said anything at all: without a model it answers with nothing. */
  isEmpty: boolean;
}

function infoOf(info: unknown): Info {
  let value = info;
  if (typeof info === 'string')
    try {
      value = JSON.parse(info);
    } catch {
      value = {};
    }
  return infoSchema.parse(isObject(value) ? value : {});
}

const bytesOf = (picture: string): Uint8Array =>
  Buffer.from(picture.slice(picture.startsWith('data:') ? picture.indexOf(',') + 1 : 0), 'base64');

/** Pictures in the order of their texts, where each carries its own. */
function byTexts(pictures: Uint8Array[], texts: string[]): Uint8Array[] | null {
  const found: Uint8Array[] = [];
  for (const picture of pictures)
    if (found.length < texts.length && carries(picture, texts[found.length]!)) found.push(picture);
  return found.length === texts.length ? found : null;
}

/** Where pictures carry nothing: a mask or two behind each, and whatever was added at the end. */
function byPlace(pictures: Uint8Array[], count: number, hasMask: boolean): Uint8Array[] {
  const stride = hasMask && pictures.length % count === 0 ? pictures.length / count : 1;
  return pictures.filter((_, i) => i % stride === 0).slice(0, count);
}

const isSmaller = (bytes: Uint8Array, { width, height }: Info): boolean => {
  const size = sizeOf(bytes);
  return size !== null && size[0] < width && size[1] < height;
};

export function readAnswer({ images, info }: Answer, { body }: Request): Read {
  const told = infoOf(info);
  const pictures = (images ?? []).map(bytesOf).filter((bytes) => extensionOf(bytes) !== null);
  const texts = told.infotexts.slice(told.index_of_first_image);
  const candidates = pictures.slice(told.index_of_first_image);
  const count = texts.length === 0 ? candidates.length : texts.length;
  const isEven = candidates.length === count;
  const chosen = isEven
    ? candidates
    : (byTexts(candidates, texts) ?? byPlace(candidates, count, body.mask !== undefined));
  const made = chosen.map((bytes, i) => ({
    bytes,
    extension: extensionOf(bytes)!,
    infotext: texts[i] ?? null,
  }));
  return {
    made,
    others: pictures.length - made.length,
    isPartial: made.some(({ bytes }) => isSmaller(bytes, told)),
    isEmpty: pictures.length === 0 && (info === '' || info === null || info === undefined),
  };
}
