import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPartners } from '../../src/tables/partners.ts';
import { cpuMsOf } from '../support/cpu.ts';

const ROOT = '/data/sub';

/** Rows `name` or `name=prompt` against files below the root; the answer by file, as the rows' places. */
function match(rows: string[], files: string[]) {
  const named = rows.map((row, at) => {
    const [name, prompt = row] = row.split('=') as [string, string?];
    return { name, prompt, place: `line ${at + 2}` };
  });
  const paths = files.map((file) => join(ROOT, file));
  const found = findPartners(named, paths, { roots: [ROOT], agree: (a, b) => a.prompt === b.prompt });
  const rowsOf = [...found.rowsOf].map(([path, own]) => [
    path.slice(ROOT.length + 1),
    own.map((r) => r.place),
  ]);
  return {
    ...found,
    rowsOf: Object.fromEntries(rowsOf) as Record<string, string[]>,
    lonely: [
      found.rowsWithoutFile.map((r) => r.place),
      found.filesWithoutRow.map((f) => f.slice(ROOT.length + 1)),
    ],
  };
}

describe('rows and files that belong together', () => {
  test.each<[string, string[], string[], Record<string, string[]>]>([
    [
      'by path below the root',
      ['x/1.png', 'y/1.png'],
      ['x/1.png', 'y/1.png'],
      { 'x/1.png': ['line 2'], 'y/1.png': ['line 3'] },
    ],
    [
      'by the end of the path',
      ['x/1.png', 'y/1.png'],
      ['a/x/1.png', 'b/y/1.png'],
      { 'a/x/1.png': ['line 2'], 'b/y/1.png': ['line 3'] },
    ],
    [
      'by most of the path',
      ['x/1.png', 'a/x/1.png'],
      ['a/x/1.png', 'b/x/1.png'],
      { 'a/x/1.png': ['line 3'], 'b/x/1.png': ['line 2'] },
    ],
    ['by an absolute path', ['/data/sub/x/1.png'], ['x/1.png', 'y/1.png'], { 'x/1.png': ['line 2'] }],
    [
      'by a path of another machine',
      ['C:\\out\\x\\1.png', 'C:\\out\\y\\1.png'],
      ['x/1.png', 'y/1.png'],
      { 'x/1.png': ['line 2'], 'y/1.png': ['line 3'] },
    ],
    ['by name', ['1.png'], ['deep/x/1.png', 'deep/x/2.png'], { 'deep/x/1.png': ['line 2'] }],
    ['the one at the top first', ['1.png'], ['1.png', 'x/1.png'], { '1.png': ['line 2'] }],
    [
      'what a longer path does not claim',
      ['1.png', 'x/1.png'],
      ['a/x/1.png', 'a/y/1.png'],
      { 'a/x/1.png': ['line 3'], 'a/y/1.png': ['line 2'] },
    ],
    [
      'without extension',
      ['x/1', 'y/1', 'sd1.5_001'],
      ['x/1.png', 'y/1.webp', 'sd1.5_001.jpg'],
      { 'x/1.png': ['line 2'], 'y/1.webp': ['line 3'], 'sd1.5_001.jpg': ['line 4'] },
    ],
    ['with another extension', ['1.png'], ['1.jpg'], { '1.jpg': ['line 2'] }],
    ['one picture in two formats', ['1'], ['1.jpg', '1.png'], { '1.png': ['line 2'], '1.jpg': ['line 2'] }],
    ['in both spellings of é', ['caf\u00e9.png'], ['cafe\u0301.png'], { 'cafe\u0301.png': ['line 2'] }],
    ['whatever the case', ['Cat.PNG'], ['cat.png'], { 'cat.png': ['line 2'] }],
    [
      'the same case first',
      ['cat.png=1', 'Cat.png=2'],
      ['cat.png', 'Cat.png'],
      { 'cat.png': ['line 2'], 'Cat.png': ['line 3'] },
    ],
    ['with ./ in front', ['./x//1.png'], ['x/1.png'], { 'x/1.png': ['line 2'] }],
    [
      'rows that say the same',
      ['1.png=a', './1.png=a', '1=a'],
      ['1.png'],
      { '1.png': ['line 2', 'line 3', 'line 4'] },
    ],
  ])('%s', (_, rows, files, expected) => {
    expect(match(rows, files).rowsOf).toEqual(expected);
  });

  test('names of another folder are not taken for those here, where folders mean something', () => {
    const { rowsOf, lonely, notes } = match(['x/1.png', 'y/2.png'], ['y/2.png', 'z/1.png']);
    expect([rowsOf, lonely, notes]).toEqual([{ 'y/2.png': ['line 3'] }, [['line 2'], ['z/1.png']], []]);
  });

  test('where the folders mean nothing here, names are matched without them, and that is said', () => {
    const { rowsOf, notes } = match(['train/1.png', 'train/2.png'], ['1.png', '2.png']);
    expect(rowsOf).toEqual({ '1.png': ['line 2'], '2.png': ['line 3'] });
    expect(notes).toEqual([
      expect.stringMatching(/whatever their folder: "train\/1.png" \(line 2\) with .*1.png" and 1 more/),
    ]);
  });

  test('a name that fits a picture in two formats is told', () => {
    expect(match(['1', '2'], ['1.jpg', '1.png', '2.png']).notes).toEqual([
      '"1" (line 2) was taken for one picture in 2 formats, "/data/sub/1.png" and "/data/sub/1.jpg"',
    ]);
  });

  test('what has no partner is told', () => {
    expect(match(['1.png', '9.png'], ['1.png', '2.png']).lonely).toEqual([['line 3'], ['2.png']]);
  });
});

describe('what is not clear is an error that names both', () => {
  test.each<[string, string[], string[], RegExp]>([
    [
      'one name, two images',
      ['1.png'],
      ['x/1.png', 'y/1.png'],
      /line 2: "1.png" fits 2 images, "\S*x\/1.png" and "\S*y\/1.png"/,
    ],
    ['one name without extension, two images', ['1'], ['x/1.png', 'y/1.jpg'], /line 2: "1" fits 2 images/],
    [
      'two rows of one name',
      ['1.png=a', '1.png=b'],
      ['1.png'],
      /line 2 and line 3 both name .*do not say the same/,
    ],
    ['two names of one image', ['1.png=a', '1=b'], ['1.png'], /line 2 and line 3 both name/],
    ['flattened names', ['x/1.png', 'y/1.png'], ['1.png'], /line 2 and line 3 both name/],
  ])('%s', (_, rows, files, message) => {
    expect(() => match(rows, files)).toThrow(message);
  });
});

test('sixty thousand rows are matched in a moment', () => {
  const files = Array.from({ length: 60_000 }, (_, i) => `${i % 40}/${i}.png`);
  const deep = files.map((file) => `deep/${file}`);
  let found: ReturnType<typeof match> | undefined;
  const spent = cpuMsOf(() => {
    found = match(files, deep);
  });
  expect(Object.keys(found!.rowsOf)).toHaveLength(60_000);
  expect(spent).toBeLessThan(15_000);
});
