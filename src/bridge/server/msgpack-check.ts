/**
 * Looks over a MessagePack message before it is unpacked, reading only the headers of its values.
 * A five-byte header may claim 2^32 elements, and unpacking allocates what is claimed; nested, that
 * kills the process. Extension types would run decoders that no client of ours needs.
 */

/** Nested containers; our deepest message has 4. */
const MAX_DEPTH = 32;
/** Values in one message; 4096 items of 8 fields have 70,000. */
const MAX_VALUES = 500_000;

type Kind = 'plain' | 'list' | 'map';
interface Head {
  kind: Kind;
  /** Bytes of the length or count that follows the type byte; 0 when `size` is known already. */
  width: 0 | 1 | 2 | 4;
  /** Payload bytes of a plain value, elements of a list, pairs of a map. */
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
  ...([1, 2, 4] as const).map((width, i): [number, Head] => [0xd9 + i, sized('plain', width)]),
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
 * @throws Error saying what is wrong at which byte
 */
export function checkMsgpack(message: Uint8Array): void {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  /** Values still to come in each open container. */
  const open = [1];
  let at = 0;
  for (let values = 0; open.length > 0; values++) {
    if (values > MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
    const { head, size, next } = readHead(view, at);
    at = next;
    open[open.length - 1]!--;
    if (head.kind === 'plain') at += size;
    else open.push(head.kind === 'map' ? size * 2 : size);
    if (at + (head.kind === 'plain' ? 0 : open.at(-1)!) > message.byteLength)
      throw new Error(`cut short: byte ${next} starts more than the message holds`);
    if (open.length > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
    while (open.at(-1) === 0) open.pop();
  }
  if (at !== message.byteLength) throw new Error(`${message.byteLength - at} bytes follow the message`);
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
