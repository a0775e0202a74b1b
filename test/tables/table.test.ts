/** Tables of any kind: rows as wide as the header, or the error that says what is wrong with the file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { readTable, type Table } from '../../src/tables/table.ts';
import { bytes, spoilt } from '../support/arbitrary.ts';
import { tempFolder } from '../support/files.ts';

class Unfit extends Error {}

let path = '';
beforeEach(() => {
  path = join(tempFolder(), 'table.csv');
});

function read(content: string | Uint8Array): Table {
  writeFileSync(path, content);
  return readTable(path, (reason) => new Unfit(reason));
}

/** What is trimmed away, and what a first line is taken for, stands elsewhere. */
const cell = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .map((given) => given.replace(/[\p{C}\p{Z}\s]/gu, ' ').trim())
  .filter((given) => !given.includes('\ufffd'));
const name = fc.constantFrom('file', 'prompt', 'quality', 'Prompt, long', 'a "name"', 'ü');
const table = fc.uniqueArray(name, { minLength: 1, maxLength: 4 }).chain((header) =>
  fc.record({
    header: fc.constant(header),
    rows: fc.array(fc.array(cell, { minLength: header.length, maxLength: header.length }), { maxLength: 5 }),
    delimiter: fc.constantFrom(',', ';', '\t', '|'),
    quoted: fc.boolean(),
    bom: fc.boolean(),
    record_delimiter: fc.constantFrom('\n' as const, '\r\n' as const),
  }),
);

test('a table is read as it was written, in whatever dialect', () => {
  fc.assert(
    fc.property(table, ({ header, rows, ...dialect }) => {
      const whole = header.length === 1 ? { ...dialect, delimiter: ',', quoted: true } : dialect;
      const found = read(stringify([header, ...rows], whole));
      const isSame = (row: string[]) => row.join('\0') === header.join('\0');
      const kept = rows.filter((row) => row.some((one) => one !== '') && !isSame(row));
      expect(found.header).toEqual(header);
      expect(found.rows.map(({ cells }) => cells)).toEqual(kept);
    }),
    { numRuns: 120 },
  );
});

test('JSON and JSON Lines give the same rows', () => {
  const rows = fc.array(
    fc.record({ file: cell, prompt: cell, quality: fc.double({ noNaN: true, min: 0, max: 5 }) }),
    {
      minLength: 2,
      maxLength: 5,
    },
  );
  fc.assert(
    fc.property(rows, (entries) => {
      const cells = (found: Table) => found.rows.map((row) => row.cells);
      const lines = read(entries.map((entry) => JSON.stringify(entry)).join('\n'));
      expect(cells(read(JSON.stringify(entries)))).toEqual(cells(lines));
      expect(lines.header).toEqual(['file', 'prompt', 'quality']);
    }),
    { numRuns: 100 },
  );
});

test('anything else is refused with a reason, and no row is cut up', () => {
  const written = table.map(({ header, rows, ...dialect }) =>
    Buffer.from(stringify([header, ...rows], dialect)),
  );
  const json = fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text));
  const odd = fc
    .string({ unit: fc.constantFrom(...'a1",;\t|\n\r []{}:\ufeff='), maxLength: 40 })
    .map((text) => Buffer.from(text));
  fc.assert(
    fc.property(fc.oneof(bytes(80), odd, spoilt(written), spoilt(json)), (content) => {
      try {
        const { header, rows } = read(content);
        for (const { cells, line } of rows) {
          expect(cells).toHaveLength(header.length);
          expect(line).toBeGreaterThan(0);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Unfit);
        expect((error as Error).message).not.toMatch(/^(undefined|Cannot read|[a-z.]+ is not a function)/);
      }
    }),
    { numRuns: 250 },
  );
});
