/**
 * Looks over a MessagePack message before it is unpacked, reading only the headers of its values.
 * A five-byte header may claim 2^32 elements, and unpacking allocates what is claimed; nested, that
 * kills the process. Extension types would run decoders that no client of ours needs.
 */

import { MAX_DEPTH, MAX_VALUES } from './shape.ts';

/** Text in one message, images in base64 included: unpacking makes strings of it at once. */
const MAX_STRING_BYTES = 32 * 2 ** 20;

type Kind = 'plain' | 'text' | 'list' | 'map';
interface Head {
  kind: Kind;
  /** Bytes of the length or count that follows the type byte; 0 when `size` is known already. */
  width: 0 | 1 | 2 | 4;
  /** Payload bytes of a plain value or text, elements of a list, pairs of a map. */
  size: number;
}

const plain = (size: number): Head => ({ kind: 'plain', width: 0, size });
const sized = (kind: Kind, width: 1 | 2 | 4): Head => ({ kind, width, size: 0 });

/** Type bytes 0xc0..0xdf; absent ones are refused. 0xd4 is let through for `undefined` alone. */
const HEADS = new Map<number, Head>([
  ...[0xc0, 0xc2, 0xc3].map((byte): [number, Head] => [byte, plain(0)]),
  ...([1, 2, 4] as const).map((width, i): [number, Head] => [0xc4 + i, sized('plain', width)]),
  [0xca, plain(4)],
  [0xcb, plain(8)],
  ...[1, 2, 4, 8].map((size, i): [number, Head] => [0xcc + i, plain(size)]),
  ...[1, 2, 4, 8].map((size, i): [number, Head] => [0xd0 + i, plain(size)]),
  [0xd4, plain(2)],
  ...([1, 2, 4] as const).map((width, i): [number, Head] => [0xd9 + i, sized('text', width)]),
  [0xdc, sized('list', 2)],
  [0xdd, sized('list', 4)],
  [0xde, sized('map', 2)],
  [0xdf, sized('map', 4)],
]);

function headOf(byte: number): Head | undefined {
  if (byte < 0x80 || byte >= 0xe0) return plain(0);
  if (byte < 0x90) return { kind: 'map', width: 0, size: byte & 15 };
  if (byte < 0xa0) return { kind: 'list', width: 0, size: byte & 15 };
  if (byte < 0xc0) return plain(byte & 31);
  return HEADS.get(byte);
}

/**
 * Checks that lengths fit the message, that it is not nested or split without bounds, and that it has no extensions.
 *
 * @returns how many values it has
 * @throws Error saying what is wrong at which byte
 */
export function checkMsgpack(message: Uint8Array): number {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  /** Values still to come in each open container. */
  const open = [1];
  let at = 0;
  let values = 0;
  let text = 0;
  for (; open.length > 0; values++) {
    if (values >= MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
    const { head, size, next } = readHead(view, at);
    const elements = elementsOf(head, size);
    at = next + (elements === undefined ? size : 0);
    text += head.kind === 'text' ? size : 0;
    open[open.length - 1]!--;
    if (elements !== undefined) open.push(elements);
    if (at + (elements ?? 0) > message.byteLength)
      throw new Error(`cut short: byte ${next} starts more than the message holds`);
    checkSize(open.length, text);
    while (open.at(-1) === 0) open.pop();
  }
  if (at !== message.byteLength) throw new Error(`${message.byteLength - at} bytes follow the message`);
  return values;
}

function elementsOf({ kind }: Head, size: number): number | undefined {
  if (kind === 'map') return 2 * size;
  return kind === 'list' ? size : undefined;
}

function checkSize(depth: number, text: number): void {
  if (depth > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
  if (text > MAX_STRING_BYTES) throw new Error(`more than ${MAX_STRING_BYTES} bytes of text`);
}

function readHead(view: DataView, at: number): { head: Head; size: number; next: number } {
  if (at >= view.byteLength) throw new Error(`cut short at byte ${at}`);
  const byte = view.getUint8(at);
  const head = headOf(byte);
  const isExtension =
    head === undefined || (byte === 0xd4 && view.byteLength > at + 1 && view.getUint8(at + 1) !== 0);
  if (isExtension) throw new Error(`type 0x${byte.toString(16)} at byte ${at} is not accepted`);
  const next = at + 1 + head.width;
  if (next > view.byteLength) throw new Error(`cut short at byte ${at}`);
  return { head, size: head.width === 0 ? head.size : readCount(view, at + 1, head.width), next };
}

function readCount(view: DataView, at: number, width: 1 | 2 | 4): number {
  if (width === 1) return view.getUint8(at);
  return width === 2 ? view.getUint16(at) : view.getUint32(at);
}
