/** Reads a JSON file that people write: says where it is wrong and why, and never repeats what stands in it. */
import { fail, reasonOf } from '../errors.ts';
import { readPlainFile } from '../plain-file.ts';

interface Token {
  text: string;
  /** Offset in characters. */
  at: number;
}

const SPACE = /[ \t\r\n]*/y;
const TOKEN =
  /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)\b|[{}[\],:]/y;

/** What people write that is no JSON, by how it begins. */
const SLIPS: [RegExp, string][] = [
  [/^(?:\/\/|\/\*|#)/, 'JSON has no comments'],
  [/^'/, 'texts stand in double quotes'],
  [/^"/, 'this text does not end in its line, or holds a backslash that means nothing (\\\\ is a backslash)'],
  [/^[\w.$-]+\s*=/, 'this looks like TOML or INI; Assay reads JSON'],
  [/^(?:---|- |[\w.$-]+\s*:\s)/, 'this looks like YAML; Assay reads JSON'],
  [/^[+.\d-]/, 'this is no number of JSON'],
  [/^[\p{L}_$]/u, 'names and texts stand in double quotes'],
];

class Reader {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    for (let at = this.#skip(0); at < text.length; at = this.#skip(at)) {
      TOKEN.lastIndex = at;
      const [token] = TOKEN.exec(text) ?? [];
      if (token === undefined) throw this.#wrong(at, this.#slip(at));
      this.#tokens.push({ text: token, at });
      at += token.length;
    }
  }

  document(): unknown {
    if (this.#tokens.length === 0) throw new Error('it is empty');
    const value = this.#value();
    const extra = this.#tokens[this.#next];
    if (extra) throw this.#wrong(extra.at, 'nothing may follow the end');
    return value;
  }

  #skip(at: number): number {
    SPACE.lastIndex = at;
    return at + SPACE.exec(this.#text)![0].length;
  }

  #slip(at: number): string {
    const rest = this.#text.slice(at, at + 200);
    return SLIPS.find(([pattern]) => pattern.test(rest))?.[1] ?? 'this character is out of place';
  }

  #wrong(at: number, reason: string): Error {
    const before = this.#text.slice(0, at).split('\n');
    return new Error(`line ${before.length}, column ${before.at(-1)!.length + 1}: ${reason}`);
  }

  #take(expected: string): Token {
    const token = this.#tokens[this.#next++];
    if (!token) throw this.#wrong(this.#text.length, `the JSON ends where ${expected} is expected`);
    return token;
  }

  #value(): unknown {
    const { text, at } = this.#take('a value');
    if (text === '{') return this.#object();
    if (text === '[') return this.#list();
    if ('}],:'.includes(text)) throw this.#wrong(at, `a value is expected before ${text}`);
    return JSON.parse(text);
  }

  #object(): unknown {
    const found = new Map<string, { value: unknown; at: number }>();
    this.#members('}', (key) => {
      if (!key.text.startsWith('"')) throw this.#wrong(key.at, 'a name in double quotes is expected');
      const name = JSON.parse(key.text) as string;
      if (name === '__proto__') throw this.#wrong(key.at, `"${name}" is not a known key`); // some pass it over
      const first = found.get(name);
      if (first) throw this.#wrong(key.at, `"${name}" stands here for the second time`);
      const colon = this.#take('a colon');
      if (colon.text !== ':') throw this.#wrong(colon.at, `a colon is expected after "${name}"`);
      found.set(name, { value: this.#value(), at: key.at });
    });
    return Object.fromEntries([...found].map(([name, { value }]) => [name, value]));
  }

  #list(): unknown[] {
    const found: unknown[] = [];
    this.#members(']', () => {
      this.#next--;
      found.push(this.#value());
    });
    return found;
  }

  /** Calls `read` with the first token of each member, up to the closing bracket. */
  #members(end: string, read: (first: Token) => void): void {
    let token = this.#take(end);
    while (token.text !== end) {
      read(token);
      token = this.#take(`a comma or ${end}`);
      if (token.text === end) return;
      if (token.text !== ',') throw this.#wrong(token.at, `a comma or ${end} is expected`);
      token = this.#take(end);
      if (token.text === end) throw this.#wrong(token.at, `the comma before ${end} is one too many`);
    }
  }
}

/** @throws Error that says what the bytes are instead */
function decoded(bytes: Uint8Array): string {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) throw new Error('it is saved as UTF-16; save it as UTF-8');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // drops a byte order mark
  } catch {
    throw new Error('it is no text in UTF-8');
  }
}

/**
 * The value in a JSON file.
 *
 * @throws CONFIG_UNREADABLE with line and column
 */
export function readJson(path: string): unknown {
  try {
    return new Reader(decoded(readPlainFile(path))).document();
  } catch (cause) {
    throw fail('CONFIG_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

/**
 * The value in a JSON text.
 *
 * @throws Error with line and column
 */
export const parseJson = (text: string): unknown => new Reader(text).document();
