/** Messages of the live channel: text holds JSON, binary a big-endian u32 type and what that type defines. */
import { z } from 'zod';
import { parseJson } from '../../../../../lib/python-json.ts';

export type Frame =
  | { kind: 'event'; type: string; data: Record<string, unknown> }
  /** Null: it does not say whose it is. */
  | { kind: 'preview'; prompt: string | null; node: string | null; bytes: Uint8Array }
  | { kind: 'text'; node: string; text: string }
  | { kind: 'malformed'; reason: string }
  | { kind: 'unknown'; type: number };

/** Other people's events may carry anything; theirs are not read. */
const eventSchema = z.looseObject({ type: z.string(), data: z.unknown() });
const dataSchema = z.record(z.string(), z.unknown()).catch({});
const aboutSchema = z.looseObject({ node_id: z.string().nullish(), prompt_id: z.string().nullish() });

/** Binary types. */
const PLAIN_PREVIEW = 1;
const TEXT = 3;
const NAMED_PREVIEW = 4;

/** A frame cut short, or with a length that cannot be. */
class Cut extends Error {}

/** Never throws: what cannot be read is `malformed`. */
export function readFrame(bytes: Uint8Array, isBinary: boolean): Frame {
  try {
    return isBinary ? readBinary(bytes) : readText(bytes);
  } catch (error) {
    return { kind: 'malformed', reason: (error as Error).message };
  }
}

function readText(bytes: Uint8Array): Frame {
  const { type, data } = eventSchema.parse(parseJson(new TextDecoder().decode(bytes)));
  return { kind: 'event', type, data: dataSchema.parse(data) };
}

function readBinary(bytes: Uint8Array): Frame {
  const type = u32(bytes, 0);
  if (type === PLAIN_PREVIEW) return { kind: 'preview', prompt: null, node: null, bytes: image(bytes, 8) };
  if (type === NAMED_PREVIEW) return namedPreview(bytes);
  if (type !== TEXT) return { kind: 'unknown', type };
  const [node, end] = counted(bytes, 4);
  return { kind: 'text', node, text: new TextDecoder().decode(bytes.subarray(end)) };
}

function namedPreview(bytes: Uint8Array): Frame {
  const [json, end] = counted(bytes, 4);
  const { node_id, prompt_id } = aboutSchema.parse(parseJson(json));
  return { kind: 'preview', prompt: prompt_id ?? null, node: node_id ?? null, bytes: image(bytes, end) };
}

function u32(bytes: Uint8Array, at: number): number {
  if (bytes.length < at + 4) throw new Cut(`it ends after ${bytes.length} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** Text with its length before it, and the position after it. */
function counted(bytes: Uint8Array, at: number): [string, number] {
  const start = at + 4;
  const end = start + u32(bytes, at);
  if (bytes.length < end) throw new Cut(`it ends after ${bytes.length} bytes, ${end} were announced`);
  return [new TextDecoder().decode(bytes.subarray(start, end)), end];
}

function image(bytes: Uint8Array, at: number): Uint8Array {
  if (bytes.length <= at) throw new Cut('it holds no image');
  return bytes.subarray(at);
}
