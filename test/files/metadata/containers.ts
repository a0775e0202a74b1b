/** Image files for tests of metadata, taken apart and put together by code that shares nothing with the source. */
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { ScoreRecord } from '../../../src/files/metadata/metadata.ts';
import { picture, png, toSharp } from '../../support/images.ts';

export const record = (reward = 0.62): ScoreRecord => ({
  version: 1,
  assay: '9.9.9',
  at: '2026-02-03T04:05:06.789Z',
  sha256: 'a'.repeat(64),
  scorer: {
    id: 'test',
    version: '1.0.0',
    variant: 'fp32',
    weights: 'sha256:11',
    calibration: 'sha256:22',
  },
  aspects: {
    quality: { score: 3.1, range: [0, 5], percentile: 0.7, interval: [2.5, 3.7], coverage: 0.9 },
  },
  reward,
  guards: [{ guard: 'noise', message: 'a < b & "c" > \'d\'' }],
  decision: 'reject',
  reasons: ['Größe — 猫 🐈 ]]> \u0000\n</rdf:RDF>'],
});

/** What ComfyUI writes: JSON in ASCII, with a NaN that is none. */
export const PROMPT =
  '{"3": {"class_type": "KSampler", "is_changed": [NaN], "inputs": {"text": "caf\\u00e9"}}}';
export const WORKFLOW = '{"nodes": [{"id": 3}], "version": 0.4}';

export function pngChunk(type: string, data: Uint8Array | string): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.from(data as string, 'latin1')]);
  const [head, tail] = [Buffer.alloc(4), Buffer.alloc(4)];
  head.writeUInt32BE(body.length - 4);
  tail.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, tail]);
}

export interface Part {
  name: string;
  /** All of it, head and padding too. */
  bytes: Buffer;
}

/** PNG chunks up to the end of the file. */
export function pngParts(bytes: Uint8Array): Part[] {
  const file = Buffer.from(bytes);
  const parts: Part[] = [];
  for (let at = 8; at < file.length; at += parts.at(-1)!.bytes.length)
    parts.push({
      name: file.toString('latin1', at + 4, at + 8),
      bytes: file.subarray(at, at + 12 + file.readUInt32BE(at)),
    });
  return parts;
}

/** JPEG segments by marker; the last part begins at the scan and reaches to the end. */
export function jpegParts(bytes: Uint8Array): Part[] {
  const file = Buffer.from(bytes);
  const parts: Part[] = [];
  for (let at = 2; ; at += parts.at(-1)!.bytes.length) {
    const marker = file[at + 1]!;
    const end = marker === 0xda ? file.length : at + 2 + file.readUInt16BE(at + 2);
    parts.push({ name: marker.toString(16), bytes: file.subarray(at, end) });
    if (marker === 0xda) return parts;
  }
}

export function webpParts(bytes: Uint8Array): Part[] {
  const file = Buffer.from(bytes);
  const parts: Part[] = [];
  for (let at = 12; at < file.length; at += parts.at(-1)!.bytes.length) {
    const size = file.readUInt32LE(at + 4);
    parts.push({
      name: file.toString('latin1', at, at + 4),
      bytes: file.subarray(at, at + 8 + size + (size & 1)),
    });
  }
  return parts;
}

export const pngOf = (parts: Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]);

export function webpOf(parts: Uint8Array[]): Buffer {
  const body = Buffer.concat([Buffer.from('WEBP'), ...parts]);
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

export function webpChunk(name: string, data: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}

const XMP = 'http://ns.adobe.com/xap/1.0/\0';

export function jpegSegment(marker: number, data: Uint8Array | string): Buffer {
  const body = Buffer.from(data as string, 'latin1');
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}

export const xmpSegment = (packet: string): Buffer =>
  jpegSegment(0xe1, Buffer.concat([Buffer.from(XMP), Buffer.from(packet)]));

/** The XMP packet of a JPEG. */
export const jpegPacket = (bytes: Uint8Array): string =>
  jpegParts(bytes)
    .find(({ name, bytes }) => name === 'e1' && bytes.toString('latin1', 4, 4 + XMP.length) === XMP)!
    .bytes.subarray(4 + XMP.length)
    .toString('utf8');

const rdf = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';

/** A packet as editors write it, with these Descriptions in it. */
export const packet = (inside: string): string =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">` +
  `<rdf:RDF xmlns:rdf="${rdf}">${inside}</rdf:RDF></x:xmpmeta>\n${' '.repeat(100)}\n<?xpacket end="w"?>`;

export const TITLE =
  '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="été"/>';

const exif = { IFD0: { Make: `workflow:${WORKFLOW}`, Model: `prompt:${PROMPT}` } };
const frames = () =>
  Promise.all([10, 60, 120].map((v) => png({ ...picture(40, 30), data: fill(40, 30, v) })));
const fill = (width: number, height: number, value: number) =>
  Uint8Array.from({ length: width * height * 3 }, (_, i) => (value + i) % 256);
const raw = picture(65, 47);
const withAlpha = () => toSharp(raw).ensureAlpha(0.5);

/** An animated PNG of two frames, its second one a copy of the first. */
async function apng(): Promise<Buffer> {
  const still = pngParts(await png(raw));
  const control = (sequence: number) => {
    const data = Buffer.alloc(26);
    data.writeUInt32BE(sequence, 0);
    data.writeUInt32BE(raw.width, 4);
    data.writeUInt32BE(raw.height, 8);
    data.writeUInt16BE(1, 20);
    data.writeUInt16BE(10, 22);
    return pngChunk('fcTL', data);
  };
  const data = still.filter(({ name }) => name === 'IDAT').map(({ bytes }) => bytes.subarray(8, -4));
  const pixels = Buffer.concat(data);
  return pngOf([
    still[0]!.bytes,
    pngChunk('acTL', Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0)),
    control(0),
    pngChunk('IDAT', pixels),
    control(1),
    pngChunk('fdAT', Buffer.concat([Uint8Array.of(0, 0, 0, 2), pixels])),
    pngChunk('comf', `prompt\0${PROMPT}`),
    still.at(-1)!.bytes,
  ]);
}

/** A PNG as ComfyUI saves it. */
export async function comfyPng(extra: Uint8Array[] = []): Promise<Buffer> {
  const [header, ...rest] = pngParts(await png(raw));
  const texts = [pngChunk('tEXt', `prompt\0${PROMPT}`), pngChunk('tEXt', `workflow\0${WORKFLOW}`)];
  return pngOf([header!.bytes, ...texts, ...extra, ...rest.map(({ bytes }) => bytes)]);
}

/** Files of every kind that can keep a score. */
export const FILES: Record<string, () => Promise<Buffer>> = {
  'plain.png': () => png(raw),
  'comfyui.png': () => comfyPng(),
  'animated.png': apng,
  'with rubbish behind its end.png': async () => Buffer.concat([await png(raw), Buffer.from('rubbish')]),
  'palette.png': () => toSharp(raw).png({ palette: true }).toBuffer(),
  'plain.jpg': () => toSharp(raw).jpeg().toBuffer(),
  'progressive.jpg': () => toSharp(raw).jpeg({ progressive: true }).toBuffer(),
  'exif.jpg': () => toSharp(raw).withExif(exif).jpeg().toBuffer(),
  'xmp.jpg': () => toSharp(raw).withExif(exif).withXmp(packet(TITLE)).jpeg().toBuffer(),
  'icc.jpg': () => toSharp(raw).withIccProfile('p3').jpeg().toBuffer(),
  'with rubbish behind its end.jpg': async () =>
    Buffer.concat([await toSharp(raw).jpeg().toBuffer(), Buffer.from('rubbish')]),
  'lossy.webp': () => toSharp(raw).webp().toBuffer(),
  'lossy alpha.webp': () => withAlpha().webp().toBuffer(),
  'lossless.webp': () => toSharp(raw).webp({ lossless: true }).toBuffer(),
  'lossless alpha.webp': () => withAlpha().webp({ lossless: true }).toBuffer(),
  'comfyui.webp': () => toSharp(raw).withExif(exif).webp().toBuffer(),
  'xmp.webp': () => toSharp(raw).withXmp(packet(TITLE)).webp().toBuffer(),
  'icc.webp': () => toSharp(raw).withIccProfile('p3').webp().toBuffer(),
  'animated.webp': async () =>
    sharp(await frames(), { join: { animated: true } })
      .withExif(exif)
      .webp({ loop: 3, delay: [10, 20, 30] })
      .toBuffer(),
};

/** All frames of an image as RGBA, one under the other. */
export const pixelsOf = (bytes: Uint8Array): Promise<Buffer> =>
  sharp(bytes, { animated: true }).ensureAlpha().raw().toBuffer();
