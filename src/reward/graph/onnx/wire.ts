/** The encoding of ONNX files (protobuf), as far as rewriting a graph needs it: what is not understood is passed on. */

/** One field of a message: its number, what it holds, and its bytes as they stood in the file. */
export interface Field {
  number: number;
  /** A number, or the bytes of a text, a message, an array or a float. */
  value: number | Uint8Array;
  whole: Uint8Array;
}

const VARINT = 0;
const DOUBLE = 1;
const BYTES = 2;
const FLOAT = 5;

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** Exact up to 2^53; nothing that is looked at here is larger. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new Error('the graph is cut short');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#bytes.length) throw new Error('the graph is cut short');
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  valueOf(type: number): number | Uint8Array {
    if (type === VARINT) return this.varint();
    if (type === DOUBLE) return this.take(8);
    if (type === FLOAT) return this.take(4);
    if (type === BYTES) return this.take(this.varint());
    throw new Error(`the graph is no ONNX: a field of type ${type}`);
  }
}

/** The fields of a message, in order. @throws Error for what is no such message */
export function fieldsOf(message: Uint8Array): Field[] {
  const reader = new Reader(message);
  const fields: Field[] = [];
  while (!reader.isAtEnd) {
    const start = reader.at;
    const tag = reader.varint();
    const value = reader.valueOf(tag & 7);
    fields.push({ number: Math.floor(tag / 8), value, whole: message.subarray(start, reader.at) });
  }
  return fields;
}

export const textOf = (value: number | Uint8Array): string => Buffer.from(value as Uint8Array).toString();

/** Every value of a field, by its number. */
export const valuesOf = (fields: Field[], number: number): (number | Uint8Array)[] =>
  fields.filter((field) => field.number === number).map(({ value }) => value);

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

export const intField = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(number * 8 + VARINT), ...varint(value)]);

/** The parts of a field that holds bytes: weights are large, and joined once, at the end. */
export function bytesField(number: number, parts: Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return [Uint8Array.from([...varint(number * 8 + BYTES), ...varint(length)]), ...parts];
}

export const textField = (number: number, text: string): Uint8Array[] =>
  bytesField(number, [Buffer.from(text)]);
