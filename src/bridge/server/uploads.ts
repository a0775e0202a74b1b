/** Step 1, receive: `multipart/form-data` -> ScoreBody. Files are kept in memory, never written to disk. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import multer, { MulterError } from 'multer';
import { fail, nearest, reasonOf } from '../../errors.ts';
import { tooLarge } from './body.ts';
import { json } from './codec.ts';
import { checkItemCount, parse, tooManyItems } from './parse.ts';
import { type ScoreBody, type UploadRequest, uploadRequest } from './schemas.ts';

export interface UploadLimits {
  maxBodyBytes: number;
  maxItems: number;
}

export type ReadUpload = (request: IncomingMessage, response: ServerResponse) => Promise<ScoreBody>;

/** What multer leaves on a request. */
interface Received {
  files?: Express.Multer.File[];
  body?: Record<string, unknown>;
}

/** multer's middleware; it needs no more of Express than this. */
type Accept = (
  request: IncomingMessage & Received,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** Name of the part that carries the JSON. */
const REQUEST_PART = 'request';
/** Prompts of a whole request; images do not belong there. */
const MAX_FIELD_BYTES = 8 * 2 ** 20;

interface Upload {
  field: string;
  name: string;
  bytes: Buffer;
}

export function createUploads({ maxBodyBytes, maxItems }: UploadLimits): ReadUpload {
  const accept = multer({
    storage: multer.memoryStorage(),
    defParamCharset: 'utf8',
    limits: { fileSize: maxBodyBytes, files: maxItems + 1, fields: 1, fieldSize: MAX_FIELD_BYTES },
  }).any() as unknown as Accept;
  return async (request, response) => {
    await receive(accept, request, response, maxBodyBytes, maxItems);
    const { files, wire } = split(request as Received);
    checkItemCount(wire, maxItems);
    if (files.length > maxItems) throw tooManyItems(files.length, maxItems);
    return pair(files, parse(uploadRequest, wire, [REQUEST_PART]));
  };
}

/** Runs multer over the request, and stops feeding it at the limit: it knows limits of parts only, not of the whole. */
async function receive(
  accept: Accept,
  request: IncomingMessage,
  response: ServerResponse,
  maxBodyBytes: number,
  maxItems: number,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) return;
      request.unpipe();
      request.resume();
      reject(tooLarge(maxBodyBytes));
    });
    accept(request, response, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(explain(error, maxBodyBytes, maxItems));
    });
  });
}

function explain(error: unknown, maxBodyBytes: number, maxItems: number): Error {
  const code = error instanceof MulterError ? error.code : undefined;
  if (code === 'LIMIT_FILE_COUNT') return tooManyItems(maxItems + 2, maxItems);
  if (code === 'LIMIT_FILE_SIZE' || code === 'LIMIT_FIELD_VALUE') return tooLarge(maxBodyBytes);
  if (code === 'LIMIT_FIELD_COUNT')
    return fail('BAD_REQUEST', { reason: `only one text part is accepted, named "${REQUEST_PART}"` });
  return fail('MALFORMED_BODY', { format: 'multipart/form-data', reason: reasonOf(error) }, { cause: error });
}

/** The request part may be a field or, as curl sends it with a type, a file. */
function split({ files: all = [], body = {} }: Received): { files: Upload[]; wire: unknown } {
  const part = all.find((file) => file.fieldname === REQUEST_PART);
  const files = all
    .filter((file) => file !== part)
    .map((file) => ({ field: file.fieldname, name: file.originalname, bytes: file.buffer }));
  return { files, wire: part ? json.decode(part.buffer) : fieldOf(body) };
}

function fieldOf(fields: Record<string, unknown>): unknown {
  const stranger = Object.keys(fields).find((name) => name !== REQUEST_PART);
  if (stranger !== undefined) {
    const reason = `unknown text part "${stranger}"; the only one is "${REQUEST_PART}", images are sent as files`;
    throw fail('BAD_REQUEST', { reason });
  }
  const text = fields[REQUEST_PART];
  return text === undefined ? {} : json.decode(Buffer.from(String(text)));
}

/** Joins entries and files: named files first, then the remaining in order; files without an entry come last. */
function pair(files: Upload[], { items: entries, ...rest }: UploadRequest): ScoreBody {
  if (files.length === 0)
    throw fail('BAD_REQUEST', { reason: 'no file came; send each image as a file part' });
  const left = new Set(files);
  const named = entries.map((entry, index) => takeNamed(left, entry.file, index, files));
  const items = entries.map((entry, index) => itemOf(named[index] ?? takeNext(left, index), entry));
  return { ...rest, items: [...items, ...[...left].map((file) => itemOf(file, {}))] };
}

function takeNamed(
  left: Set<Upload>,
  name: string | undefined,
  index: number,
  files: Upload[],
): Upload | undefined {
  if (name === undefined) return undefined;
  const file = [...left].find((f) => f.name === name) ?? [...left].find((f) => f.field === name);
  if (!file) {
    const near = nearest(name, [...new Set(files.flatMap((f) => [f.name, f.field]))]);
    const hint = near && near !== name ? `; did you mean "${near}"?` : '';
    throw fail('BAD_REQUEST', {
      reason: `request.items[${index}].file: no unused file part "${name}"${hint}`,
    });
  }
  left.delete(file);
  return file;
}

function takeNext(left: Set<Upload>, index: number): Upload {
  const [file] = left;
  if (!file) throw fail('BAD_REQUEST', { reason: `request.items[${index}]: no file part is left for it` });
  left.delete(file);
  return file;
}

type Entry = Partial<UploadRequest['items'][number]>;

const itemOf = (file: Upload, { id, prompt, source }: Entry): ScoreBody['items'][number] => ({
  id,
  prompt,
  source: source ?? file.name,
  image: file.bytes,
});
