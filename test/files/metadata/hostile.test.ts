/** Files that are damaged or made to do harm: a coded error, soon, and no other. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../../../src/errors/error.ts';
import { readScore, writeScore } from '../../../src/files/metadata/metadata.ts';
import { random } from '../../support/images.ts';
import {
  comfyPng,
  FILES,
  jpegSegment,
  packet,
  pngChunk,
  pngOf,
  record,
  webpChunk,
  webpOf,
  xmpSegment,
} from './containers.ts';

const CODES = ['IMAGE_CORRUPT', 'METADATA_UNSUPPORTED', 'METADATA_UNWRITABLE'];

/** The code that a call fails with, or what it gives. Anything but a coded error is thrown on. */
function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (error instanceof AssayError && CODES.includes(error.code)) return error.code;
    throw error;
  }
}

/** Reads and writes; what could be written must give the score back. */
function attempt(file: Uint8Array): { read: unknown; written: unknown } {
  const read = outcome(() => readScore(file));
  const written = outcome(() => writeScore(file, record()));
  if (written instanceof Uint8Array) expect(readScore(written)).toEqual(record());
  return { read, written };
}

const samples = ['comfyui.png', 'animated.png', 'xmp.jpg', 'comfyui.webp', 'animated.webp', 'lossy.webp'];

describe.each(samples)('%s', (name) => {
  it('cut short anywhere is not written', async () => {
    const file = await FILES[name]!();
    const step = Math.max(1, Math.floor(file.length / 400));
    for (let length = 0; length < file.length; length += step)
      expect(CODES).toContain(attempt(file.subarray(0, length)).written);
  });

  it('with the score in it and cut short is not read as another', async () => {
    const file = writeScore(await FILES[name]!(), record());
    const step = Math.max(1, Math.floor(file.length / 400));
    for (let length = 0; length < file.length; length += step) {
      const { read } = attempt(file.subarray(0, length));
      expect([null, ...CODES]).toContainEqual(typeof read === 'object' && read ? null : read);
      if (typeof read === 'object' && read) expect(read).toEqual(record());
    }
  });

  it('with bytes changed never does worse than a coded error', async () => {
    const file = Buffer.from(writeScore(await FILES[name]!(), record()));
    const next = random(7);
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(file);
      for (let i = 0; i < 4; i++) damaged[Math.floor(next() * Math.min(file.length, 2500))] = next() * 256;
      attempt(damaged);
    }
  });
});

const header = pngChunk('IHDR', Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 9, 8, 2, 0, 0, 0));
const end = pngChunk('IEND', '');
const lengthOf = (length: number, type: string) => {
  const head = Buffer.from(`\0\0\0\0${type}`, 'latin1');
  head.writeUInt32BE(length);
  return head;
};
const SOI = Uint8Array.of(0xff, 0xd8);
const bomb = deflateSync(Buffer.alloc(100 * 2 ** 20));

describe('hostile PNG', () => {
  it.each<[string, () => Buffer]>([
    ['a chunk of 4 GB', () => pngOf([header, lengthOf(0xffff_ffff, 'tEXt'), end])],
    ['a chunk of 2 GB', () => pngOf([header, lengthOf(0x7fff_ffff, 'IDAT'), end])],
    ['no pixels', () => pngOf([header, end])],
    ['no header', () => pngOf([pngChunk('IDAT', ''), end])],
    ['nothing but its signature', () => pngOf([])],
    [
      'a million chunks',
      () => pngOf([header, Buffer.concat(Array(1_000_000).fill(pngChunk('tEXt', 'assay\0'))), end]),
    ],
  ])('%s', (_name, make) => {
    expect(attempt(make()).written).toBe('METADATA_UNWRITABLE');
  });

  it.each<[string, Buffer]>([
    ['zTXt', pngChunk('zTXt', Buffer.concat([Buffer.from('assay\0\0'), bomb]))],
    ['iTXt', pngChunk('iTXt', Buffer.concat([Buffer.from('assay\0\x01\0\0\0'), bomb]))],
    ['iTXt without its separators', pngChunk('iTXt', 'assay\0\x01\0en')],
    ['zTXt that does not inflate', pngChunk('zTXt', 'assay\0\0rubbish')],
    ['many of them', Buffer.concat(Array(50_000).fill(pngChunk('tEXt', `assay\0${'['.repeat(20)}`)))],
    ['deeply nested JSON', pngChunk('tEXt', `assay\0${'['.repeat(60_000)}`)],
    ['too long', pngChunk('tEXt', `assay\0${JSON.stringify({ ...record(), more: 'x'.repeat(70_000) })}`)],
  ])('a damaged score is none, and gives way: %s', async (_name, chunk) => {
    const file = await comfyPng([chunk]);
    expect(readScore(file)).toBeNull();
    expect(Buffer.from(writeScore(file, record()))).toEqual(
      Buffer.from(writeScore(await comfyPng(), record())),
    );
  });
});

describe('hostile JPEG', () => {
  it.each<[string, () => Buffer]>([
    ['a segment of length 0', () => Buffer.from([...SOI, 0xff, 0xe1, 0, 0, 0xff, 0xda, 0, 2, 0xff, 0xd9])],
    ['a segment of length 1', () => Buffer.from([...SOI, 0xff, 0xe1, 0, 1, 0xff, 0xda, 0, 2, 0xff, 0xd9])],
    ['a segment beyond the end', () => Buffer.from([...SOI, 0xff, 0xe1, 0xff, 0xff, 0xff, 0xd9])],
    ['nothing but fill bytes', () => Buffer.concat([SOI, Buffer.alloc(5_000_000, 0xff)])],
    [
      'nothing but restart markers',
      () => Buffer.concat([SOI, Buffer.alloc(5_000_000, Uint8Array.of(0xff, 0xd0))]),
    ],
    ['an end before the pixels', () => Buffer.from([...SOI, 0xff, 0xd9])],
    ['no marker', () => Buffer.concat([SOI, Uint8Array.of(0xff), Buffer.alloc(100)])],
    ['a million segments', () => Buffer.concat([SOI, Buffer.alloc(4_000_000, jpegSegment(0xe1, ''))])],
  ])('%s', (_name, make) => {
    expect(attempt(make()).written).toBe('METADATA_UNWRITABLE');
  });

  const deep = `<a xmlns:a="urn:assay:score:1#">${'<a:assay>'.repeat(7000)}`;
  it('XMP that nests without end', () => {
    const scan = Uint8Array.of(0xff, 0xda, 0, 2, 0, 0xff, 0xd9);
    expect(attempt(Buffer.concat([SOI, xmpSegment(deep), scan])).read).toBeNull();
    expect(attempt(Buffer.concat([SOI, xmpSegment(packet(deep)), scan])).read).toBeNull();
  });
});

describe('hostile WebP', () => {
  const vp8x = (...bytes: number[]) => webpChunk('VP8X', Uint8Array.from(bytes));
  const huge = () => {
    const file = webpOf([
      vp8x(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      webpChunk('VP8L', Uint8Array.of(0x2f, 0, 0, 0, 0)),
    ]);
    file.writeUInt32LE(0xffff_ffff, 16);
    return file;
  };
  it.each<[string, () => Buffer]>([
    ['a chunk of 4 GB', huge],
    ['no chunks', () => webpOf([])],
    ['no pixels', () => webpOf([webpChunk('EXIF', Buffer.from('x'))])],
    ['a lossy header cut short', () => webpOf([webpChunk('VP8 ', Buffer.alloc(4))])],
    ['a lossy header without its start code', () => webpOf([webpChunk('VP8 ', Buffer.alloc(20))])],
    ['a lossless header without its signature', () => webpOf([webpChunk('VP8L', Buffer.alloc(20))])],
    ['no width', () => webpOf([webpChunk('VP8 ', Buffer.from('\0\0\0\x9d\x01\x2a\0\0\0\0', 'latin1'))])],
    ['an extended header cut short', () => webpOf([vp8x(0), webpChunk('VP8L', Buffer.alloc(8))])],
    ['a million chunks', () => webpOf([Buffer.alloc(8_000_000, webpChunk('VP8 ', Buffer.alloc(0)))])],
  ])('%s', (_name, make) => {
    expect(attempt(make()).written).toBe('METADATA_UNWRITABLE');
  });
});

describe('what is not an image of the three formats', () => {
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['text', Buffer.from('hello')],
    ['a GIF', Buffer.from('GIF89a')],
    ['a WAV', Buffer.from('RIFF\0\0\0\0WAVE')],
  ])('%s', (_name, file) => {
    expect(attempt(file)).toEqual({ read: 'METADATA_UNSUPPORTED', written: 'METADATA_UNSUPPORTED' });
  });
});

describe('a score', () => {
  it('that JSON cannot hold is not written', async () => {
    const file = await comfyPng();
    expect(() => writeScore(file, record(Number.NaN), 'a.png')).toThrow(
      /a\.png: the score itself is malformed/,
    );
  });

  it('with a zero below zero, or a field left undefined, is written', async () => {
    const odd = { ...record(-0), more: undefined };
    expect(readScore(writeScore(await comfyPng(), odd))).toEqual(record(0));
  });

  it('that is too long is not written', async () => {
    const long = { ...record(), reasons: ['x'.repeat(40_000)] };
    for (const make of Object.values(FILES)) {
      const file = await make();
      expect(() => writeScore(file, long)).toThrow(/longer than 32 KB/);
    }
  });
});
