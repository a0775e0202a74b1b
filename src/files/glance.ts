/** What a look at the ends of an image file tells: whether it is whole, and whether it moves. */
import { open } from 'node:fs/promises';

export interface Glance {
  /** Whether it ends as files of its kind do; null where that cannot be told. */
  isWhole: boolean | null;
  isAnimated: boolean;
}

const UNKNOWN: Glance = { isWhole: null, isAnimated: false };

/** Texts of an image, a workflow among them, may stand before what tells that it moves. */
const HEAD_BYTES = 2 ** 16;
const TAIL_BYTES = 16;

const ANIMATED_WEBP = 0x02;

type Ends = readonly [head: Buffer, tail: Buffer, size: number];

/** By its first bytes. A row more is a kind more. */
const KINDS: readonly { is(head: Buffer): boolean; glance(...ends: Ends): Glance }[] = [
  {
    is: (head) => head.toString('latin1', 1, 4) === 'PNG',
    glance: (head, tail) => ({
      isWhole: tail.includes('IEND'),
      isAnimated:
        head.includes('acTL') && !(head.indexOf('IDAT') >= 0 && head.indexOf('IDAT') < head.indexOf('acTL')),
    }),
  },
  {
    is: (head) => head[0] === 0xff && head[1] === 0xd8,
    glance: (_head, tail) => ({ isWhole: tail.includes(Buffer.from([0xff, 0xd9])), isAnimated: false }),
  },
  {
    is: (head) => head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP',
    glance: (head, _tail, size) => ({
      isWhole: size >= head.readUInt32LE(4) + 8,
      isAnimated: head.toString('latin1', 12, 16) === 'VP8X' && (head[20]! & ANIMATED_WEBP) !== 0,
    }),
  },
  {
    is: (head) => head.toString('latin1', 0, 4) === 'GIF8',
    glance: (head, tail) => ({ isWhole: tail.at(-1) === 0x3b, isAnimated: head.includes('NETSCAPE2.0') }),
  },
  {
    is: (head) => head.toString('latin1', 4, 12) === 'ftypavis',
    glance: () => ({ isWhole: null, isAnimated: true }),
  },
];

/** Never throws: of a file that cannot be read nothing is known. */
export async function glanceAt(path: string): Promise<Glance> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const read = async (bytes: number, at: number) => {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, at);
        return buffer.subarray(0, bytesRead);
      };
      const head = await read(Math.min(HEAD_BYTES, size), 0);
      const tail = await read(Math.min(TAIL_BYTES, size), Math.max(0, size - TAIL_BYTES));
      return KINDS.find(({ is }) => is(head))?.glance(head, tail, size) ?? UNKNOWN;
    } finally {
      await handle.close();
    }
  } catch {
    return UNKNOWN;
  }
}
