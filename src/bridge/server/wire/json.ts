/** JSON bodies: checked, then parsed without their long strings, which are put back as what they are. */
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { turn } from '../../../lib/turn.ts';
import { type Cut, JsonScan } from './json-scan.ts';
import { LongText } from './long-text.ts';
import { MAX_TEXT_BYTES } from './shape.ts';

export interface Decoded {
  value: unknown;
  /** How many values it is made of. */
  values: number;
}

/** Bytes looked at between two looks at the clock. */
const STEP_BYTES = 2 ** 18;
/** Fields that hold images; a long string anywhere else is text. */
const IMAGE_FIELDS = new Set(['image', 'data', 'images', 'image_b64']);
/** Stands for a cut; nobody outside can know it. */
const STAND_IN = `long ${randomUUID()} `;

/** Small bodies at once, larger ones in slices. @throws Error, or rejects with it: what is wrong, and where */
export function decodeJson(body: Uint8Array): Decoded | Promise<Decoded> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const scan = new JsonScan(bytes);
  return scan.step(STEP_BYTES) ? parse(bytes, scan) : parseLarge(bytes, scan);
}

async function parseLarge(bytes: Buffer, scan: JsonScan): Promise<Decoded> {
  do {
    if (turn.isLong) await turn.next();
  } while (!scan.step(STEP_BYTES));
  return parse(bytes, scan);
}

function parse(bytes: Buffer, { cuts, values }: JsonScan): Decoded {
  const value: unknown = JSON.parse(textOf(withoutCuts(bytes, cuts)));
  return { value: cuts.length === 0 ? value : new Restorer(bytes, cuts).restore(value, ''), values };
}

function withoutCuts(bytes: Buffer, cuts: Cut[]): Buffer {
  if (cuts.length === 0) return bytes;
  let at = 0;
  const parts: Buffer[] = [];
  for (const [i, { start, end }] of cuts.entries()) {
    parts.push(bytes.subarray(at, start), Buffer.from(`${STAND_IN}${i}`));
    at = end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

/** Much faster than a strict TextDecoder. A byte order mark is let pass, as there. */
function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Error('it is not UTF-8');
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', hasMark ? 3 : 0);
}

class Restorer {
  readonly #bytes: Buffer;
  readonly #cuts: Cut[];
  #textBytes = 0;

  constructor(bytes: Buffer, cuts: Cut[]) {
    this.#bytes = bytes;
    this.#cuts = cuts;
  }

  /** Puts the cuts back, in place. */
  restore(value: unknown, field: string): unknown {
    if (typeof value === 'string') return value.startsWith(STAND_IN) ? this.#cut(value, field) : value;
    if (Array.isArray(value)) for (const [i, inner] of value.entries()) value[i] = this.restore(inner, field);
    else if (value !== null && typeof value === 'object')
      for (const [key, inner] of Object.entries(value))
        this.#set(value, key, this.restore(inner, key), inner);
    return value;
  }

  #set(object: object, key: string, value: unknown, before: unknown): void {
    // not by assignment, which a key `__proto__` would turn into something else
    if (value !== before)
      Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  }

  #cut(standIn: string, field: string): unknown {
    const { start, end } = this.#cuts[Number(standIn.slice(STAND_IN.length))]!;
    if (IMAGE_FIELDS.has(field)) return new LongText(this.#bytes.subarray(start, end));
    this.#textBytes += end - start;
    if (this.#textBytes > MAX_TEXT_BYTES)
      throw new Error(`more than ${MAX_TEXT_BYTES} bytes beside the images`);
    return JSON.parse(textOf(this.#bytes.subarray(start - 1, end + 1)));
  }
}
