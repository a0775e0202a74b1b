/** What the formats share: matching text in bytes, and edits that leave everything else alone. */
import { fail } from '../../errors/error.ts';

/** Most parts (chunks, segments) that a file is taken apart into; real ones have hundreds. */
export const MAX_PARTS = 100_000;
/** Most values under the key that are looked at in one file. */
export const MAX_FOUND = 16;

/** Largest text that is read for its words, in bytes: a workflow of thousands of nodes has one or two million. */
export const MOST_BYTES = 2.5 * 2 ** 20;

/** Replaces the bytes from `start` up to `end`; inserts where both are the same. */
export interface Edit {
  start: number;
  end: number;
  bytes: Uint8Array;
}

/** The bytes with the edits made, which must be in order and apart. */
export function splice(bytes: Uint8Array, edits: Edit[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits) {
    parts.push(bytes.subarray(at, edit.start), edit.bytes);
    at = edit.end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

/** Whether the Latin-1 text stands at that place. */
export function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** One character a byte, so that positions in the text are positions in the bytes. */
export const latin1Text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** The file does not keep to its format. */
export const corrupt = (reason: string) => fail('IMAGE_CORRUPT', { reason });

export const tooManyParts = () => corrupt(`it has more than ${MAX_PARTS} parts`);

/** The file is in order, yet cannot take a score; the front door puts the path in. */
export const refuse = (reason: string) => fail('METADATA_UNWRITABLE', { path: 'the image', reason });
