/** The two encodings of the wire, JSON and MessagePack: bytes <-> plain values. */
import { Packr } from 'msgpackr';
import { type AssayError, fail, reasonOf } from '../../../errors/error.ts';
import { type Decoded, decodeJson } from './json.ts';
import { checkMsgpack } from './msgpack-check.ts';

export interface Codec {
  name: 'json' | 'msgpack';
  contentType: string;
  /** Small bodies at once, large ones in slices. Binary and long images stay views of the body. @throws MALFORMED_BODY */
  decode(body: Uint8Array): Decoded | Promise<Decoded>;
  encode(value: object): string | Uint8Array;
}

export const json: Codec = {
  name: 'json',
  contentType: 'application/json',
  decode: (body) => {
    const decoded = explained('JSON', () => decodeJson(body));
    return decoded instanceof Promise
      ? decoded.catch((cause) => Promise.reject(malformed('JSON', cause)))
      : decoded;
  },
  encode: (value) => JSON.stringify(value),
};

export const msgpack: Codec = {
  name: 'msgpack',
  contentType: 'application/msgpack',
  decode: (body) =>
    explained('MessagePack', () => {
      const values = checkMsgpack(body);
      return { value: unpack(body), values };
    }),
  encode: (value) => createPackr().pack(value),
};

/** Plain maps instead of msgpackr's own records, so that any MessagePack library can read them. */
const createPackr = (): Packr => new Packr({ useRecords: false, int64AsType: 'number' });

/** The library keeps hold of the last message that it unpacked: here of one byte. */
function unpack(body: Uint8Array): unknown {
  try {
    return createPackr().unpack(body);
  } finally {
    createPackr().unpack(NIL);
  }
}

const NIL = Uint8Array.of(0xc0);

const malformed = (format: string, cause: unknown): AssayError =>
  fail('MALFORMED_BODY', { format, reason: reasonOf(cause) }, { cause });

function explained<T>(format: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw malformed(format, cause);
  }
}

/** The codec of a content type or Accept header; `application/x-msgpack` counts, too. */
export function codecOf(header: string | undefined): Codec | undefined {
  if (/\bapplication\/(x-|vnd\.)?msgpack\b/i.test(header ?? '')) return msgpack;
  return /\bapplication\/json\b/i.test(header ?? '') ? json : undefined;
}
