/** The two encodings of the wire, JSON and MessagePack: bytes <-> plain values. */
import { Packr } from 'msgpackr';
import { fail, reasonOf } from '../../errors.ts';
import { checkMsgpack } from './msgpack-check.ts';

export interface Codec {
  name: 'json' | 'msgpack';
  contentType: string;
  /** @throws MALFORMED_BODY */
  decode(body: Uint8Array): unknown;
  encode(value: object): string | Uint8Array;
}

export const json: Codec = {
  name: 'json',
  contentType: 'application/json',
  decode: (body) => decoded('JSON', () => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))),
  encode: (value) => JSON.stringify(value),
};

export const msgpack: Codec = {
  name: 'msgpack',
  contentType: 'application/msgpack',
  decode: (body) =>
    decoded('MessagePack', () => {
      checkMsgpack(body);
      return createPackr().unpack(body);
    }),
  encode: (value) => createPackr().pack(value),
};

/** Plain maps instead of msgpackr's own records, so that any MessagePack library can read them. Binary stays a view. */
const createPackr = (): Packr => new Packr({ useRecords: false, int64AsType: 'number' });

function decoded(format: string, decode: () => unknown): unknown {
  try {
    return decode();
  } catch (cause) {
    throw fail('MALFORMED_BODY', { format, reason: reasonOf(cause) }, { cause });
  }
}

/** The codec of a content type or Accept header; `application/x-msgpack` counts, too. */
export function codecOf(header: string | undefined): Codec | undefined {
  if (/\bapplication\/(x-|vnd\.)?msgpack\b/i.test(header ?? '')) return msgpack;
  return /\bapplication\/json\b/i.test(header ?? '') ? json : undefined;
}
