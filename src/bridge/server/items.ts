/** Step 1, receive: wire items -> ScoreItem. What is wrong with one image surfaces in its `fetch`, so it fails alone. */
import { type AssayError, fail } from '../../errors.ts';
import type { ImageInput, ScoreItem } from '../../types.ts';
import { readAllowed } from './paths.ts';
import type { ScoreBody } from './schemas.ts';

export interface FetchRules {
  allowedDirs: readonly string[];
  maxImageBytes: number;
}

type WireItem = ScoreBody['items'][number];
type WireImage = NonNullable<WireItem['image']>;

const notBase64 = (reason: string): AssayError => fail('IMAGE_ENCODING', { reason });

/**
 * Decodes base64, standard or URL-safe, with or without padding and line breaks, bare or as a `data:` URL.
 *
 * @throws IMAGE_ENCODING; BAD_REQUEST for an http(s) URL, which is never fetched
 */
export function decodeBase64(text: string): Buffer {
  if (/^https?:/i.test(text))
    throw fail('BAD_REQUEST', { reason: 'image is a URL, and URLs are never fetched; send the bytes' });
  const body = text.startsWith('data:') ? dataUrlBody(text) : text;
  const bytes = strictBase64(body) ?? strictBase64(body.replace(/\s+/g, ''));
  if (bytes) return bytes;
  const odd = /[^A-Za-z0-9+/_=\s-]/.exec(body);
  throw notBase64(
    odd ? `character ${JSON.stringify(odd[0])} at ${odd.index}` : 'it is cut short or padded wrongly',
  );
}

function dataUrlBody(url: string): string {
  const comma = url.indexOf(',');
  if (comma < 0 || !/;base64$/i.test(url.slice(0, comma)))
    throw notBase64('the data: URL has no ";base64," part');
  return url.slice(comma + 1);
}

/** Node skips what is not base64, so a slip shows as a shorter result; no second pass over megabytes is needed. */
function strictBase64(text: string): Buffer | null {
  const digits = text.endsWith('==') ? text.length - 2 : text.length - (text.endsWith('=') ? 1 : 0);
  const bytes = Buffer.from(text, 'base64');
  return digits % 4 !== 1 && bytes.length === Math.floor((digits * 3) / 4) ? bytes : null;
}

const asBytes = (data: string | Uint8Array): Uint8Array =>
  typeof data === 'string' ? decodeBase64(data) : data;

function encoded(bytes: Uint8Array, maxBytes: number): ImageInput {
  if (bytes.length > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: bytes.length, maxBytes });
  return { kind: 'encoded', bytes };
}

function decodeImage(image: WireImage, rules: FetchRules): ImageInput {
  if (typeof image === 'string' || image instanceof Uint8Array)
    return encoded(asBytes(image), rules.maxImageBytes);
  const { format, width, height, data } = image;
  return { kind: 'raw', format, width, height, bytes: asBytes(data) };
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

/** Items of a parsed body, in request order, with the request-wide prompt and default ids filled in. */
export function toScoreItems(body: ScoreBody, rules: FetchRules): ScoreItem[] {
  return body.items.map((item, index) => ({
    id: item.id ?? String(index),
    source: item.source ?? item.path ?? null,
    prompt: item.prompt === undefined ? body.prompt : item.prompt,
    workflow: body.workflow,
    promptFromFile: body.promptFromFile,
    fetch: fetcher(item, rules),
  }));
}
