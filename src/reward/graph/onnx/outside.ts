/**
 * Where a graph keeps weights that are not in its file. Of the file, only what leads to them is read: weights that are in
 * it are passed over, so that a graph of gigabytes costs no more than its nodes.
 *
 * Numbers of fields: onnx.proto of ONNX 1.16.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { textOf } from './wire.ts';

/** Messages that hold weights, and those that hold such; by the number of the field, what stands in it. */
const INSIDE = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: { 13: 'entry' },
  entry: { 1: 'text', 2: 'text' },
} as const satisfies Record<string, Record<number, string>>;
type Message = keyof typeof INSIDE;

const VARINT = 0;
const DOUBLE = 1;
const BYTES = 2;
const FLOAT = 5;
/** Beginning and end of what is no longer written; what stands between is read as if they were absent. */
const GROUP: ReadonlySet<number> = new Set([3, 4]);

/** Read at a time. */
const PART = 64 * 1024;
/** Of a name; longer ones are no file's. */
const MOST_NAME = 4096;

class Walk {
  readonly found = new Set<string>();
  readonly #file: number;
  readonly #part = Buffer.allocUnsafe(PART);
  #start = 0;
  #end = 0;
  #at = 0;

  constructor(file: number) {
    this.#file = file;
  }

  #byte(): number {
    if (this.#at < this.#start || this.#at >= this.#end) {
      this.#start = this.#at;
      this.#end = this.#at + readSync(this.#file, this.#part, 0, PART, this.#at);
    }
    if (this.#at >= this.#end) throw new Error('the graph is cut short');
    return this.#part[this.#at++ - this.#start]!;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #text(length: number): string {
    if (length > MOST_NAME) throw new Error('a name of a file is too long');
    return textOf(Uint8Array.from({ length }, () => this.#byte()));
  }

  /** Passes over what is of no interest. */
  #skip(type: number): void {
    if (type === VARINT) this.#varint();
    else if (type === DOUBLE) this.#at += 8;
    else if (type === FLOAT) this.#at += 4;
    else if (!GROUP.has(type)) throw new Error(`the graph is no ONNX: a field of type ${type}`);
  }

  read(message: Message, end: number): void {
    const texts: string[] = [];
    while (this.#at < end) {
      const tag = this.#varint();
      if ((tag & 7) !== BYTES) {
        this.#skip(tag & 7);
        continue;
      }
      const length = this.#varint();
      const after = this.#at + length;
      if (after > end) throw new Error('the graph is cut short');
      const inner = (INSIDE[message] as Record<number, Message | 'text'>)[Math.floor(tag / 8)];
      if (inner === 'text') texts.push(this.#text(length));
      else if (inner) this.read(inner, after);
      this.#at = after;
    }
    // Beside the name of the file, offsets and lengths are told; the key may stand before or behind.
    if (texts.includes('location')) for (const text of texts) if (text !== 'location') this.found.add(text);
  }
}

/** The files that a graph says its weights lie in, as it says it: what is no graph does not load, whatever is told of it. */
export function filesOutside(path: string): string[] {
  const file = openSync(path, 'r');
  const walk = new Walk(file);
  try {
    walk.read('model', fstatSync(file).size);
    return [...walk.found];
  } catch {
    return [...walk.found];
  } finally {
    closeSync(file);
  }
}
