/** Scores in files of every kind: in, out, and everything else as it was. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readScore, writeScore } from '../../../src/files/metadata/metadata.ts';
import {
  comfyPng,
  FILES,
  jpegPacket,
  jpegParts,
  jpegSegment,
  type Part,
  PROMPT,
  pixelsOf,
  pngChunk,
  pngOf,
  pngParts,
  record,
  webpChunk,
  webpOf,
  webpParts,
} from './containers.ts';

const kind = (suffix: string) => Object.entries(FILES).filter(([name]) => name.endsWith(suffix));
const bytesOf = (parts: Part[]) => parts.map(({ bytes }) => bytes);
const isScore = ({ name, bytes }: Part) => name === 'tEXt' && bytes.toString('latin1', 8, 14) === 'assay\0';
/** What sharp tells of a file that a score may change. */
const NEW = { xmp: 0, xmpAsString: 0, size: 0, comments: 0 };
const isXmp = ({ bytes }: Part) => bytes.includes('urn:assay:score:1#');

describe.each(Object.entries(FILES))('%s', (_name, make) => {
  it('gives back the score that it was given', async () => {
    const file = await make();
    expect(readScore(file)).toBeNull();
    expect(readScore(writeScore(file, record()))).toEqual(record());
  });

  it('keeps its pixels, all frames of them', async () => {
    const file = await make();
    const tagged = writeScore(file, record());
    expect(await pixelsOf(tagged)).toEqual(await pixelsOf(file));
    const known = async (bytes: Uint8Array) => ({ ...(await sharp(bytes).metadata()), ...NEW });
    expect(await known(tagged)).toEqual(await known(file));
  });

  it('holds one score after two, and the same bytes as after the last alone', async () => {
    const file = await make();
    const again = writeScore(writeScore(file, record(0.1)), record(0.9));
    expect(readScore(again)?.reward).toBe(0.9);
    expect(Buffer.from(again)).toEqual(Buffer.from(writeScore(file, record(0.9))));
  });

  it('is not written into', async () => {
    const file = await make();
    const copy = Buffer.from(file);
    writeScore(file, record());
    expect(file).toEqual(copy);
  });
});

describe('PNG', () => {
  it.each(kind('.png'))('%s is the same byte for byte without the new chunk', async (name, make) => {
    const file = await make();
    const tagged = writeScore(file, record());
    const rubbish = name.includes('rubbish') ? 7 : 0;
    const parts = pngParts(tagged.subarray(0, tagged.length - rubbish));
    const rest = pngOf(bytesOf(parts.filter((part) => !isScore(part))));
    expect(rest).toEqual(file.subarray(0, file.length - rubbish));
    expect(tagged.subarray(tagged.length - rubbish)).toEqual(file.subarray(file.length - rubbish));
    expect(parts.filter(isScore)).toHaveLength(1);
  });

  it('keeps the prompt of ComfyUI, NaN and all, and puts the score before the pixels', async () => {
    const names = pngParts(writeScore(await comfyPng(), record())).map(({ name, bytes }) =>
      name === 'tEXt' ? bytes.toString('latin1', 8, bytes.indexOf(0, 8)) : name,
    );
    const pixels = names.indexOf('IDAT');
    expect(names.slice(pixels - 3, pixels)).toEqual(expect.arrayContaining(['assay']));
    expect(names.filter((name) => /prompt|workflow|assay/.test(name))).toEqual([
      'prompt',
      'workflow',
      'assay',
    ]);
    expect(Buffer.from(writeScore(await comfyPng(), record())).includes(PROMPT)).toBe(true);
  });

  it('comes before the control chunk of a frame, which belongs to the pixels behind it', async () => {
    const names = pngParts(writeScore(await FILES['animated.png']!(), record())).map(({ name }) => name);
    expect(names).toEqual(['IHDR', 'acTL', 'tEXt', 'fcTL', 'IDAT', 'fcTL', 'fdAT', 'comf', 'IEND']);
  });

  it('writes plain ASCII with a right checksum', async () => {
    const chunk = pngParts(writeScore(await comfyPng(), record())).find(isScore)!;
    const text = chunk.bytes.subarray(14, -4);
    expect(text.every((byte) => byte >= 0x20 && byte < 0x7f)).toBe(true);
    expect(chunk.bytes).toEqual(pngChunk('tEXt', chunk.bytes.subarray(8, -4)));
    expect(JSON.parse(text.toString('latin1'))).toEqual(record());
  });

  const utf8 = Buffer.from(JSON.stringify(record(0.3)));
  const ascii = Buffer.from(JSON.stringify({ ...record(0.3), reasons: [] }));
  it.each<[string, Buffer]>([
    ['zTXt', pngChunk('zTXt', Buffer.concat([Buffer.from('assay\0\0'), deflateSync(ascii)]))],
    ['iTXt', pngChunk('iTXt', Buffer.concat([Buffer.from('assay\0\0\0en\0Assay\0'), utf8]))],
    [
      'compressed iTXt',
      pngChunk('iTXt', Buffer.concat([Buffer.from('assay\0\x01\0\0\0'), deflateSync(utf8)])),
    ],
  ])('reads and replaces a score that another program saved as %s', async (_name, chunk) => {
    const file = await comfyPng([chunk]);
    expect(readScore(file)?.reward).toBe(0.3);
    const again = writeScore(file, record(0.4));
    expect(readScore(again)?.reward).toBe(0.4);
    expect(Buffer.from(again).includes(chunk)).toBe(false);
  });

  it('takes no score from a chunk with a wrong checksum', async () => {
    const tagged = Buffer.from(writeScore(await comfyPng(), record(0.62)));
    tagged.write('9', tagged.indexOf('"reward":0.62') + 11);
    expect(readScore(tagged)).toBeNull();
  });
});

describe('JPEG', () => {
  it.each(kind('.jpg').filter(([name]) => name !== 'xmp.jpg'))(
    '%s is the same byte for byte without the new segment, which follows JFIF and EXIF',
    async (_name, make) => {
      const file = await make();
      const parts = jpegParts(writeScore(file, record()));
      const rest = Buffer.concat([file.subarray(0, 2), ...bytesOf(parts.filter((part) => !isXmp(part)))]);
      expect(rest).toEqual(file);
      const before = parts.slice(0, parts.findIndex(isXmp)).map(({ name }) => name);
      const after = parts.slice(parts.findIndex(isXmp) + 1).map(({ name }) => name);
      expect(before.every((name) => name === 'e0' || name === 'e1')).toBe(true);
      expect(after).not.toContain('e0');
      expect(after).not.toContain('e1');
    },
  );

  it('keeps a packet that is there, but for one Description', async () => {
    const file = await FILES['xmp.jpg']!();
    const tagged = writeScore(file, record());
    const added = /<rdf:Description [^>]*urn:assay:score:1#.*?<\/rdf:Description>/s;
    expect(jpegPacket(tagged).replace(added, '')).toBe(jpegPacket(file));
    const others = (bytes: Uint8Array) =>
      bytesOf(jpegParts(bytes).filter((p) => !p.bytes.includes('adobe:ns')));
    expect(others(tagged)).toEqual(others(file));
  });

  it('leaves a file alone whose index of pictures would become wrong', async () => {
    const [first, ...rest] = jpegParts(await FILES['xmp.jpg']!());
    const index = jpegSegment(0xe2, 'MPF\0II*\0');
    const file = Buffer.concat([Uint8Array.of(0xff, 0xd8), index, first!.bytes, ...bytesOf(rest)]);
    expect(() => writeScore(file, record())).toThrow(/an index of several pictures/);
    const plain = jpegParts(await FILES['plain.jpg']!());
    const after = Buffer.concat([Uint8Array.of(0xff, 0xd8), index, ...bytesOf(plain)]);
    expect(readScore(writeScore(after, record()))).toEqual(record());
  });

  it('goes over fill bytes between segments', async () => {
    const parts = bytesOf(jpegParts(await FILES['exif.jpg']!()));
    const filled = parts.flatMap((part) => [Uint8Array.of(0xff, 0xff), part]);
    const file = Buffer.concat([Uint8Array.of(0xff, 0xd8), ...filled]);
    expect(readScore(writeScore(file, record()))).toEqual(record());
  });
});

describe('WebP', () => {
  it.each(kind('.webp'))('%s keeps all its chunks', async (_name, make) => {
    const file = await make();
    const tagged = writeScore(file, record());
    const others = (bytes: Uint8Array) =>
      webpParts(bytes).filter(({ name }) => name !== 'VP8X' && name !== 'XMP ');
    expect(others(tagged)).toEqual(others(file));
    expect(Buffer.from(tagged).readUInt32LE(4)).toBe(tagged.length - 8);
    expect(webpParts(tagged).map(({ name }) => name)[0]).toBe('VP8X');
    expect(webpParts(tagged).filter(isXmp)).toHaveLength(1);
  });

  it.each(kind('.webp'))('%s says in its header what it holds, and nothing else', async (_name, make) => {
    const file = await make();
    const { width, height, hasAlpha, pages } = await sharp(file).metadata();
    const [header, ...chunks] = webpParts(writeScore(file, record()));
    const has = (name: string) => chunks.some((chunk) => chunk.name === name);
    const [data] = [header!.bytes.subarray(8)];
    expect([1 + data.readUIntLE(4, 3), 1 + data.readUIntLE(7, 3)]).toEqual([width, height]);
    const flags = { xmp: 4, exif: 8, alpha: 16, icc: 32, animation: 2 };
    const said = Object.fromEntries(Object.entries(flags).map(([name, bit]) => [name, (data[0]! & bit) > 0]));
    const animation = (pages ?? 1) > 1;
    const expected = { xmp: true, exif: has('EXIF'), alpha: hasAlpha, icc: has('ICCP'), animation };
    expect(said).toEqual(expected);
  });

  it('keeps the prompt of ComfyUI in EXIF', async () => {
    const tagged = writeScore(await FILES['comfyui.webp']!(), record());
    const exif = webpParts(tagged).find(({ name }) => name === 'EXIF')!.bytes;
    expect(exif.includes(`prompt:${PROMPT}`)).toBe(true);
  });

  it('announces EXIF that a simple file carried without saying so', async () => {
    const pixels = webpParts(await FILES['lossy.webp']!())[0]!.bytes;
    const file = webpOf([pixels, webpChunk('EXIF', Buffer.from('II*\0\x08\0\0\0\0\0\0\0\0\0', 'latin1'))]);
    const [header, ...chunks] = webpParts(writeScore(file, record()));
    expect(header!.bytes[8]).toBe(4 + 8);
    expect(chunks.map(({ name }) => name)).toEqual(['VP8 ', 'EXIF', 'XMP ']);
  });

  it('keeps what stands behind its end', async () => {
    const rubbish = Buffer.from('rubbish');
    const file = await FILES['lossy.webp']!();
    const tagged = writeScore(Buffer.concat([file, rubbish]), record());
    expect(readScore(tagged)).toEqual(record());
    expect(tagged).toEqual(Buffer.concat([writeScore(file, record()), rubbish]));
  });
});
