/** Rows for people (table) and machines (json, jsonl, csv), printed as they come where the format allows it. */
import { stringify } from 'csv-stringify/sync';
import type { Format } from '../input/flags.ts';

export interface Printer<T> {
  add(row: T): void;
  /** @param more what is to be said beside the rows, where the format has room for it */
  end(more?: Record<string, unknown>): void;
}

/** How a kind of row looks in each format. */
export interface Look<T> {
  /** Name of the list in JSON. */
  list: string;
  /** A CSV line; every row has the same keys. */
  flat(row: T): Record<string, string | number>;
  /** All rows at once, for people. */
  text(rows: T[], out: NodeJS.WriteStream): string;
  /** What is kept of a row until it is printed as text: many rows may wait. */
  slim?(row: T): T;
}

/** JSON of one row or value, to stand inside an object or a list. */
const indented = (value: unknown, by: string): string =>
  JSON.stringify(value, null, 2).replaceAll('\n', `\n${by}`);

/** One object, written as its rows come. */
function jsonPrinter<T>({ list }: Look<T>, out: NodeJS.WriteStream): Printer<T> {
  let count = 0;
  const begin = () => out.write(`{\n  ${JSON.stringify(list)}: [`);
  return {
    add(row) {
      if (count === 0) begin();
      out.write(`${count++ === 0 ? '' : ','}\n    ${indented(row, '    ')}`);
    },
    end(more = {}) {
      if (count === 0) begin();
      out.write(count === 0 ? ']' : '\n  ]');
      for (const [key, value] of Object.entries(more))
        out.write(`,\n  ${JSON.stringify(key)}: ${indented(value, '  ')}`);
      out.write('\n}\n');
    },
  };
}

/** @param header whether a CSV begins with its header: not where it goes on */
export function printer<T>(
  format: Format,
  look: Look<T>,
  out: NodeJS.WriteStream,
  { header = true }: { header?: boolean } = {},
): Printer<T> {
  switch (format) {
    case 'jsonl':
      return { add: (row) => out.write(`${JSON.stringify(row)}\n`), end() {} };
    case 'csv': {
      let isFirst = header;
      const add = (row: T) => {
        out.write(stringify([look.flat(row)], { header: isFirst }));
        isFirst = false;
      };
      return { add, end() {} };
    }
    case 'json':
      return jsonPrinter(look, out);
    case 'table': {
      const rows: T[] = [];
      const add = (row: T) => void rows.push(look.slim?.(row) ?? row);
      return { add, end: () => out.write(look.text(rows, out)) };
    }
  }
}
