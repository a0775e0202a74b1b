/** Step 1, receive: `multipart/form-data` -> ScoreBody. Files are kept in memory, never written to disk. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import multer, { MulterError, type StorageEngine } from 'multer';
import type { z } from 'zod';
import { fail, reasonOf } from '../../../errors/error.ts';
import { nearest } from '../../../errors/nearest.ts';
import { orAbort } from '../../../lib/abort.ts';
import { Sink } from '../sink.ts';
import { json } from '../wire/codec.ts';
import { checkItemCount, MAX_ECHO, parse, tooManyItems } from '../wire/parse.ts';
import { type ScoreBody, type UploadEntry, uploadRequest } from '../wire/schemas.ts';
import { type Incoming, receive, tooLarge } from './body.ts';

export interface UploadLimits {
  maxBodyBytes: number;
  maxItems: number;
}

/** @param schema of the part `request` */
export type ReadUpload = <Request extends UploadRequest>(
  incoming: Incoming,
  response: ServerResponse,
  schema: z.ZodType<Request>,
) => Promise<Omit<Request, 'items'> & Pick<ScoreBody, 'items'>>;

/** Of a part `request` no more is looked at here. */
interface UploadRequest {
  items: UploadEntry[];
}

/** What multer leaves on what it was given to read. */
interface Received {
  files?: Express.Multer.File[];
  body?: Record<string, unknown>;
}

/** multer's middleware; of a request it needs no more than this. */
type Accept = (
  request: PassThrough & Pick<IncomingMessage, 'headers'> & Received,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** Name of the part that carries the JSON. */
const REQUEST_PART = 'request';
/** Fields of it that may come as text parts of their own, for callers without JSON at hand. */
const textFields = uploadRequest.pick({ prompt: true, scorer: true });
const TEXT_PARTS = [REQUEST_PART, ...Object.keys(textFields.shape)];
const KNOWN_PARTS = `known are ${TEXT_PARTS.join(', ')}, and images are sent as files`;
/** Prompts of a whole request; images do not belong there. */
const MAX_FIELD_BYTES = 8 * 2 ** 20;

interface Upload {
  field: string;
  name: string;
  bytes: Buffer;
}

/** Puts files together as they come; multer's own store joins them at the end, which is felt by others. */
const storage: StorageEngine = {
  _handleFile(_request, file, done) {
    collect(file.stream).then(
      (buffer) => done(null, { buffer, size: buffer.length }),
      (error) => done(error),
    );
  },
  _removeFile: (_request, _file, done) => done(null),
};

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const sink = new Sink();
  for await (const chunk of stream) await sink.add(chunk);
  return sink.take();
}

export function createUploads({ maxBodyBytes, maxItems }: UploadLimits): ReadUpload {
  const accept = multer({
    storage,
    defParamCharset: 'utf8',
    limits: {
      fileSize: maxBodyBytes,
      files: maxItems + 1,
      fields: TEXT_PARTS.length,
      parts: maxItems + 1 + TEXT_PARTS.length,
      fieldSize: MAX_FIELD_BYTES,
    },
  }).any() as unknown as Accept;
  return async (incoming, response, schema) => {
    const { files, wire } = split(await readParts(accept, incoming, response, maxItems));
    const value = await wire;
    checkItemCount(value, maxItems);
    if (files.length > maxItems) throw tooManyItems(files.length, maxItems);
    return pair(files, parse(schema, value, [REQUEST_PART]));
  };
}

/** Feeds multer what arrives, as there is room for it. */
async function readParts(
  accept: Accept,
  incoming: Incoming,
  response: ServerResponse,
  maxItems: number,
): Promise<Received> {
  const feed = Object.assign(new PassThrough(), { headers: incoming.request.headers });
  const refused = new AbortController();
  const parsed = new Promise<void>((resolve) => {
    accept(feed, response, (error) => {
      if (error !== undefined) refused.abort(explain(error, incoming.maxBytes, maxItems));
      resolve();
    });
  });
  const signal = AbortSignal.any([incoming.signal, refused.signal]);
  try {
    await receive({ ...incoming, signal }, (chunk) =>
      feed.write(chunk) ? undefined : once(feed, 'drain', { signal }),
    );
    feed.end();
    await orAbort(parsed, signal);
    refused.signal.throwIfAborted();
    return feed as Received;
  } finally {
    feed.destroy();
  }
}

function explain(error: unknown, maxBodyBytes: number, maxItems: number): Error {
  const code = error instanceof MulterError ? error.code : undefined;
  if (code === 'LIMIT_FILE_COUNT' || code === 'LIMIT_PART_COUNT') return tooManyItems(maxItems + 2, maxItems);
  if (code === 'LIMIT_FILE_SIZE' || code === 'LIMIT_FIELD_VALUE') return tooLarge(maxBodyBytes);
  if (code === 'LIMIT_FIELD_COUNT')
    return fail('BAD_REQUEST', { reason: `too many text parts; ${KNOWN_PARTS}` });
  return fail('MALFORMED_BODY', { format: 'multipart/form-data', reason: reasonOf(error) }, { cause: error });
}

/** The request part may be a field or, as curl sends it with a type, a file. */
function split({ files: all = [], body = {} }: Received): {
  files: Upload[];
  wire: Promise<unknown>;
} {
  const part = all.find((file) => file.fieldname === REQUEST_PART);
  const files = all
    .filter((file) => file !== part)
    .map((file) => ({ field: file.fieldname, name: file.originalname, bytes: file.buffer }));
  checkTexts(body);
  const { [REQUEST_PART]: text, ...texts } = body;
  return { files, wire: withTexts(part?.buffer ?? text, parse(textFields, texts)) };
}

function checkTexts(texts: Record<string, unknown>): void {
  const bad = (reason: string) => fail('BAD_REQUEST', { reason });
  for (const [name, text] of Object.entries(texts)) {
    if (!TEXT_PARTS.includes(name))
      throw bad(`unknown text part "${name.slice(0, MAX_ECHO)}"; ${KNOWN_PARTS}`);
    if (typeof text !== 'string') throw bad(`the text part "${name}" came more than once`);
  }
}

/** The request, with what came beside it. @throws BAD_REQUEST for a field that came both ways */
async function withTexts(request: unknown, texts: Record<string, unknown>): Promise<unknown> {
  if (request === undefined) return texts;
  const bytes = typeof request === 'string' ? Buffer.from(request) : (request as Buffer);
  const { value } = await json.decode(bytes);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const twice = Object.keys(texts).find((name) => Object.hasOwn(value, name));
  if (twice) throw fail('BAD_REQUEST', { reason: `"${twice}" came as a text part and in "${REQUEST_PART}"` });
  return { ...value, ...texts };
}

/** Joins entries and files: named files first, then the remaining in order; files without an entry come last. */
function pair<Request extends UploadRequest>(
  files: Upload[],
  { items: entries, ...rest }: Request,
): Omit<Request, 'items'> & Pick<ScoreBody, 'items'> {
  if (files.length === 0)
    throw fail('BAD_REQUEST', { reason: 'no file came; send each image as a file part' });
  const shelf = new Shelf(files);
  const named = entries.map((entry, index) =>
    entry.file === undefined ? undefined : shelf.named(entry.file, index),
  );
  const items = entries.map((entry, index) => itemOf(named[index] ?? shelf.next(index), entry));
  return { ...rest, items: [...items, ...shelf.rest.map((file) => itemOf(file, {}))] };
}

/** Files that no entry has taken yet. */
class Shelf {
  readonly #left: Set<Upload>;
  readonly #byName: Map<string, Upload[]>;
  readonly #byField: Map<string, Upload[]>;

  constructor(files: Upload[]) {
    this.#left = new Set(files);
    this.#byName = Map.groupBy(files, (file) => file.name);
    this.#byField = Map.groupBy(files, (file) => file.field);
  }

  get rest(): Upload[] {
    return [...this.#left];
  }

  named(name: string, index: number): Upload {
    const file = this.#first(this.#byName.get(name)) ?? this.#first(this.#byField.get(name));
    if (file) return this.#take(file);
    const near = nearest(name, [...this.#byName.keys(), ...this.#byField.keys()]);
    const hint = near && near !== name ? `; did you mean "${near}"?` : '';
    throw fail('BAD_REQUEST', {
      reason: `request.items[${index}].file: no unused file part "${name}"${hint}`,
    });
  }

  next(index: number): Upload {
    const [file] = this.#left;
    if (file) return this.#take(file);
    throw fail('BAD_REQUEST', { reason: `request.items[${index}]: no file part is left for it` });
  }

  /** The first that is left; those taken are dropped on the way, so that no look is made twice. */
  #first(files: Upload[] = []): Upload | undefined {
    while (files[0] && !this.#left.has(files[0])) files.shift();
    return files[0];
  }

  #take(file: Upload): Upload {
    this.#left.delete(file);
    return file;
  }
}

type Entry = Partial<UploadEntry>;

const itemOf = (file: Upload, { id, prompt, group, source }: Entry): ScoreBody['items'][number] => ({
  id,
  prompt,
  group,
  source: source ?? file.name,
  image: file.bytes,
});
