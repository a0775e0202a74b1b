/** Rows for people (table) and machines (json, jsonl, csv), printed as they come where the format allows it. */
import { stringify } from 'csv-stringify/sync';
import type { Format } from './flags.ts';

export interface Printer<T> {
  add(row: T): void;
  end(): void;
}

/** How a kind of row looks in each format. */
export interface Look<T> {
  /** Name of the list in JSON. */
  list: string;
  /** A CSV line; every row has the same keys. */
  flat(row: T): Record<string, string | number>;
  /** All rows at once, for people. */
  text(rows: T[], out: NodeJS.WriteStream): string;
}

/** Prints at the end what must be whole. */
function atEnd<T>(print: (rows: T[]) => void): Printer<T> {
  const rows: T[] = [];
  return { add: (row) => rows.push(row), end: () => print(rows) };
}

export function printer<T>(format: Format, look: Look<T>, out: NodeJS.WriteStream): Printer<T> {
  switch (format) {
    case 'jsonl':
      return { add: (row) => out.write(`${JSON.stringify(row)}\n`), end() {} };
    case 'csv': {
      let header = true;
      const add = (row: T) => {
        out.write(stringify([look.flat(row)], { header }));
        header = false;
      };
      return { add, end() {} };
    }
    case 'json':
      return atEnd((rows) => out.write(`${JSON.stringify({ [look.list]: rows }, null, 2)}\n`));
    case 'table':
      return atEnd((rows) => out.write(look.text(rows, out)));
  }
}
