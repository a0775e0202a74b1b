import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findRated } from '../../src/eval/ratings/images.ts';
import { readRatings } from '../../src/eval/ratings/ratings.ts';
import { tempFolder } from '../support/files.ts';

function fileOf(content: string | Uint8Array): string {
  const path = join(tempFolder(), 'ratings.csv');
  writeFileSync(path, content);
  return path;
}

const read = (content: string | Uint8Array) => readRatings(fileOf(content));

describe('headers', () => {
  test.each([
    ['name,mos_quality', 'quality'],
    ['image,quality', 'quality'],
    ['FILE,MOS', 'quality'],
    ['filename,mos_q', 'quality'],
    ['Path,mos_qual', 'quality'],
    ['image_path,Quality MOS', 'quality'],
    ['name,mos_align', 'alignment'],
    ['name,mos_alignment', 'alignment'],
    ['name,Alignment', 'alignment'],
    ['name,align', 'alignment'],
    ['name,mos_authenticity', 'authenticity'],
    ['name,authenticity', 'authenticity'],
  ])('%s rates %s', (header, aspect) => {
    const { rows, columns } = read(`${header}\ncat.png,3.5\n`);
    expect(columns).toEqual({ [aspect]: header.split(',')[1] });
    expect(rows).toEqual([
      { line: 2, name: 'cat.png', prompt: null, generator: null, mos: { [aspect]: 3.5 }, std: {} },
    ]);
  });

  test('all columns at once, in any order, with others between', () => {
    const header = 'id,std_align,mos_quality,Model,std_quality,prompt,image,mos_align';
    const { rows, hasPrompts, hasGenerators } = read(
      `${header}\n7,0.1,3,sd_xl,0.2,"a cat, sitting",x.png,4\n`,
    );
    expect(rows[0]).toEqual({
      line: 2,
      name: 'x.png',
      prompt: 'a cat, sitting',
      generator: 'sd_xl',
      mos: { quality: 3, alignment: 4 },
      std: { quality: 0.2, alignment: 0.1 },
    });
    expect([hasPrompts, hasGenerators]).toEqual([true, true]);
  });

  test('plain mos beside mos_align is quality, mos_quality wins over quality', () => {
    expect(read('name,mos,mos_align\na,1,2').rows[0]!.mos).toEqual({ quality: 1, alignment: 2 });
    expect(read('name,quality,mos_quality\na,1,2').rows[0]!.mos).toEqual({ quality: 2 });
  });
});

describe('text', () => {
  test.each([
    ['byte order mark and CRLF', '\uFEFFname,mos\r\na.png,1\r\n'],
    ['semicolons', 'name;mos\na.png;1\n'],
    ['tabs', 'name\tmos\na.png\t1\n'],
    ['a line that says what separates', 'sep=;\nname;mos\na.png;1\n'],
    ['bars', 'name|mos\na.png|1\n'],
    ['JSON Lines', '{"file_name": "a.png", "mos": 1}\n'],
    ['JSON', '[{"Image Name": "a.png", "MOS": 1}]'],
    ['JSON by name', '{"a.png": {"mos": "1"}}'],
    ['UTF-16 without byte order mark', Buffer.from('name,mos\na.png,1\n', 'utf16le')],
    ['UTF-16, big end first', Buffer.from('\uFEFFname,mos\na.png,1\n', 'utf16le').swap16()],
    ['UTF-16', Buffer.from('\uFEFFname,mos\na.png,1\n', 'utf16le')],
    ['blank lines', 'name,mos\n\na.png,1\n\n'],
    ['blanks around values', 'name , mos\n a.png , 1 \n'],
  ])('%s', (_, content) => {
    const { rows, notes } = read(content);
    expect(rows.map((r) => [r.name, r.mos.quality])).toEqual([['a.png', 1]]);
    expect(notes).toEqual([]);
  });

  test.each(['3', '-0.25', '+1.5', '.5', '4.', '1e-2', '2.5E1'])('%s is a number', (cell) => {
    expect(read(`name,mos\na,${cell}`).rows[0]!.mos.quality).toBe(Number(cell));
  });

  test('an aspect may be unrated where another is not', () => {
    expect(read('name,mos,align\na,1,\nb,,2').rows.map((r) => r.mos)).toEqual([
      { quality: 1 },
      { alignment: 2 },
    ]);
  });

  test('what was guessed or left out is said', () => {
    const latin1 = read(Buffer.from('name;score\ncaf\xe9.png;3,5\n', 'latin1'));
    expect(latin1.rows[0]).toMatchObject({ name: 'café.png', mos: { quality: 3.5 } });
    expect(latin1.notes).toEqual([
      'it is not UTF-8, and was read as Latin-1 (Windows-1252)',
      'column "score" does not say what is rated, and was taken for quality',
    ]);
    const concatenated = read(
      'name,mos,caption,text\na,1,x,y\nname,mos,caption,text\nb,n/a,x,y\nc,NaN,x,y\na,1,x,y',
    );
    expect(concatenated.rows.map((r) => [r.name, r.prompt])).toEqual([['a', 'x']]);
    expect(concatenated.notes).toEqual([
      'the header stands there 2 times; the repeats were skipped',
      'the prompt is read from column "caption", not "text"',
      '2 rows without a rating left out, the first on line 4, 5',
      '1 row said the same of an image twice and left out',
    ]);
  });

  test('one image may be rated under several prompts', () => {
    expect(read('name,prompt,mos\na,cat,1\na,dog,2').rows).toHaveLength(2);
  });
});

describe('what is wrong is named', () => {
  test.each([
    ['', 'the file is empty; expected a header row'],
    ['name,mos\n', 'no rows after the header'],
    [
      'mos,prompt\n1,cat',
      'line 1: no column of image names; expected name, image or file; found "mos", "prompt"',
    ],
    ['name,prompt\na,cat', 'expected at least one of mos_quality, mos_alignment, mos_authenticity; found'],
    ['name,mso_quality\na,1', 'did you mean mos_quality by "mso_quality"?'],
    ['name,mos,mos\na,1,2', 'line 1: column "mos" appears twice'],
    ['name,mos\na,1\nb,good', 'line 3, column "mos": expected a number, found "good"'],
    ['name,mos\na,NaN', 'line 2, column "mos": expected a number, found "NaN"'],
    ['name,mos\na,1e999', 'expected a number, found "1e999"'],
    ['name,mos\na,0x10', 'expected a number, found "0x10"'],
    ['name,mos\na,"3,5"', 'expected a number, found "3,5"'],
    ['name,mos\na,', 'line 2, column "mos": expected a number, found nothing'],
    ['name,mos\n,3', 'line 2, column "name": expected the name of an image, found nothing'],
    ['name,mos,std\na,1,x', 'line 2, column "std": expected a number, found "x"'],
    ['name,mos\na,1\nb,2,3', 'line 3: '],
    ['name,mos\n"a,1', 'Quote'],
    ['name,mos\na,1\nb,2\na,3', 'line 4: a is on line 2 already; expected one row of means per image'],
    ['name,mos\na,85 %', 'expected a number, found "85 %"'],
    ['PK\x03\x04', 'it is an Excel workbook'],
    [
      '[{"name":"a","mos":1,"prompt":"a cat"},{"name":"b","mos":2,"prompt":{"text":"a dog"}}]',
      'entry 2, column "prompt": expected text, found {"text":"a dog"}',
    ],
    ['{"name":"a","mos":1,"model":["x"]}', 'entry 1, column "model": expected text, found ["x"]'],
    ['{"name":"a","mos":{"mean":3}}', 'entry 1, column "mos": expected a number, found'],
  ])('%j', (content, reason) => {
    const path = fileOf(content);
    expect(() => readRatings(path)).toThrow(
      expect.objectContaining({ code: 'RATINGS_INVALID', message: expect.stringContaining(reason) }),
    );
    expect(() => readRatings(path)).toThrow(path);
  });

  test('a missing file and a folder', () => {
    const folder = tempFolder();
    expect(() => readRatings(join(folder, 'no.csv'))).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    );
    expect(() => readRatings(folder)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
  });
});

describe('images are found', () => {
  const folder = () => {
    const root = join(tempFolder(), 'set');
    mkdirSync(join(root, 'images', 'deep'), { recursive: true });
    const files = [
      'top.PNG',
      'sd1.5_001.jpg',
      'both.jpg',
      'both.png',
      'odd.dat',
      'images/in.webp',
      'images/deep/x.png',
    ];
    for (const file of [...files, '../outside.png']) writeFileSync(join(root, file), '');
    return root;
  };

  test.each([
    ['top.PNG', 'top.PNG'],
    ['top', 'top.PNG'],
    ['top.jpg', 'top.PNG'],
    ['TOP.png', 'top.PNG'],
    ['sd1.5_001', 'sd1.5_001.jpg'],
    ['both', 'both.png'],
    ['both.jpg', 'both.jpg'],
    ['odd.dat', 'odd.dat'],
    ['in.webp', 'images/in.webp'],
    ['images/in', 'images/in.webp'],
    ['deep/x.png', 'images/deep/x.png'],
    ['images\\deep\\x.png', 'images/deep/x.png'],
    ['D:\\elsewhere\\deep\\x.png', 'images/deep/x.png'],
    ['x.png', 'images/deep/x.png'],
    ['no.png', null],
    ['nowhere/no.png', null],
    ['../outside.png', null],
  ])('%s', (name, expected) => {
    const root = folder();
    const ratings = read(`name,mos\n${name},1\n`);
    expect(findRated(ratings, root).paths).toEqual(expected ? [join(root, expected)] : []);
  });

  test('images without a rating are told', () => {
    expect(findRated(read('name,mos\nboth,1\ndeep/x,2\nin,3'), folder()).notes).toEqual([
      expect.stringMatching(/^"both" \(line 2\) was taken for one picture in 2 formats/),
      'images without a rating: 2 (sd1.5_001.jpg, top.PNG)',
    ]);
  });

  test('a folder that is not there', () => {
    expect(() => findRated(read('name,mos\na,1'), join(tempFolder(), 'no'))).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    );
  });
});
