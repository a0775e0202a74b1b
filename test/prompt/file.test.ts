/** Prompts in image files, as the programs that make images write them. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { textsOf } from '../../src/metadata/texts.ts';
import { findInTexts } from '../../src/prompt/file.ts';
import { jpegSegment, packet, pngChunk, pngOf, pngParts, xmpSegment } from '../metadata/containers.ts';
import { flat, jpeg, png, toSharp } from '../support/images.ts';

const INFOTEXT =
  'a red fox, Füchse 狐\nNegative prompt: ugly\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1';
const FOX = { prompt: 'a red fox, Füchse 狐', negative: 'ugly', certain: true };

const graph = (words: unknown, more: object = {}) => ({
  '3': { class_type: 'KSampler', inputs: { positive: ['6', 0], negative: ['7', 0] } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: words } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'ugly' } },
  '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0] } },
  '9': { class_type: 'SaveImage', inputs: { images: ['8', 0], filename_prefix: 'fox' } },
  ...more,
});
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

let [base, photo]: Buffer[] = [];
beforeAll(async () => {
  base = await png(flat([9, 99, 199], 16));
  photo = await jpeg(flat([9, 99, 199], 16));
});

const find = (bytes: Uint8Array, name?: string) => findInTexts(textsOf(bytes), name);
const withChunks = (...chunks: Buffer[]): Buffer => {
  const [head, ...rest] = pngParts(base!);
  return pngOf([head!.bytes, ...chunks, ...rest.map((part) => part.bytes)]);
};
const text = (key: string, value: string | Buffer) =>
  pngChunk('tEXt', Buffer.concat([Buffer.from(`${key}\0`), Buffer.from(value as string)]));
const international = (key: string, value: string, packed = false) => {
  const body = Buffer.from(value);
  return pngChunk(
    'iTXt',
    Buffer.concat([
      Buffer.from(`${key}\0`),
      Buffer.from([packed ? 1 : 0, 0, 0, 0]),
      packed ? deflateSync(body) : body,
    ]),
  );
};
const packed = (key: string, value: string | Buffer) =>
  pngChunk('zTXt', Buffer.concat([Buffer.from(`${key}\0\0`), deflateSync(Buffer.from(value as string))]));

/** A directory of one tag, and of another inside of EXIF's own. */
function exif(tag: number, value: Buffer, type: number, little: boolean, inner: boolean): Buffer {
  const bytes = Buffer.alloc(8 + 18 + (inner ? 18 : 0));
  const u16 = (n: number, at: number) => (little ? bytes.writeUInt16LE(n, at) : bytes.writeUInt16BE(n, at));
  const u32 = (n: number, at: number) => (little ? bytes.writeUInt32LE(n, at) : bytes.writeUInt32BE(n, at));
  bytes.write(little ? 'II' : 'MM', 'latin1');
  u16(42, 2);
  u32(8, 4);
  const entry = (at: number, id: number, kind: number, count: number, offset: number) => {
    u16(1, at);
    u16(id, at + 2);
    u16(kind, at + 4);
    u32(count, at + 6);
    u32(offset, at + 10);
  };
  if (inner) entry(8, 0x8769, 4, 1, 26);
  entry(inner ? 26 : 8, tag, type, value.length, bytes.length);
  return Buffer.concat([bytes, value]);
}

const wide = (value: string, little: boolean) => {
  const body = Buffer.from(value, 'utf16le');
  return little ? body : body.swap16();
};
const comment = (value: string, written: 'LE' | 'BE' | 'ASCII' | 'UTF-8', file: 'II' | 'MM' = 'MM') => {
  const body =
    written === 'ASCII' || written === 'UTF-8'
      ? Buffer.concat([Buffer.from(written === 'ASCII' ? 'ASCII\0\0\0' : 'UNICODE\0'), Buffer.from(value)])
      : Buffer.concat([Buffer.from('UNICODE\0'), wide(value, written === 'LE')]);
  return exif(0x9286, body, 7, file === 'II', true);
};
const withExif = (tiff: Buffer): Buffer =>
  Buffer.concat([
    photo!.subarray(0, 2),
    jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), tiff])),
    photo!.subarray(2),
  ]);

describe('the parameters of the AUTOMATIC1111 family', () => {
  it.each([
    ['an iTXt chunk', () => withChunks(international('parameters', INFOTEXT))],
    ['a packed iTXt chunk', () => withChunks(international('parameters', INFOTEXT, true))],
    ['a tEXt chunk in UTF-8', () => withChunks(text('parameters', INFOTEXT))],
    ['a zTXt chunk', () => withChunks(packed('parameters', INFOTEXT))],
    [
      'a chunk behind the pixels',
      () =>
        pngOf([
          ...pngParts(base!)
            .slice(0, -1)
            .map((p) => p.bytes),
          international('parameters', INFOTEXT),
          pngParts(base!).at(-1)!.bytes,
        ]),
    ],
    ['an eXIf chunk', () => withChunks(pngChunk('eXIf', comment(INFOTEXT, 'BE')))],
    ['a JPEG comment, big-endian', () => withExif(comment(INFOTEXT, 'BE'))],
    ['a JPEG comment, little-endian in a big-endian file', () => withExif(comment(INFOTEXT, 'LE'))],
    ['a JPEG comment, big-endian in a little-endian file', () => withExif(comment(INFOTEXT, 'BE', 'II'))],
    ['a JPEG comment that says UTF-16 and is not', () => withExif(comment(INFOTEXT, 'UTF-8'))],
    ['a JPEG comment that says ASCII', () => withExif(comment(INFOTEXT, 'ASCII'))],
    [
      'a comment segment',
      () =>
        Buffer.concat([photo!.subarray(0, 2), jpegSegment(0xfe, Buffer.from(INFOTEXT)), photo!.subarray(2)]),
    ],
  ])('in %s', (_where, bytes) => {
    expect(find(bytes())).toMatchObject(FOX);
  });

  it.each(['webp', 'avif'] as const)('in %s as sharp writes it', async (format) => {
    const tags = {
      IFD0: { ImageDescription: 'a red fox\nNegative prompt: ugly\nSteps: 20, Sampler: Euler, Seed: 1' },
    };
    const bytes = await toSharp(flat([9, 99, 199], 64))
      .withExif(tags)
      .toFormat(format)
      .toBuffer();
    expect(find(bytes)).toMatchObject({ prompt: 'a red fox', negative: 'ugly', certain: true });
  });
});

it('are found in TIFF, which is EXIF by itself', () => {
  expect(find(comment(INFOTEXT, 'LE', 'II'))).toMatchObject(FOX);
});

describe('a workflow of ComfyUI', () => {
  it.each([
    [
      'a chunk',
      () =>
        withChunks(text('prompt', ascii(graph(FOX.prompt))), text('workflow', '{"nodes": [], "links": []}')),
    ],
    [
      'a chunk with NaN',
      () =>
        withChunks(
          text(
            'prompt',
            ascii(graph(FOX.prompt)).replace(
              '{',
              '{"0": {"class_type": "x", "inputs": {}, "is_changed": [NaN]}, ',
            ),
          ),
        ),
    ],
    [
      'EXIF of the model',
      () => withExif(exif(0x0110, Buffer.from(`prompt:${ascii(graph(FOX.prompt))}`), 2, true, false)),
    ],
    [
      'EXIF of the maker',
      () => withExif(exif(0x010f, Buffer.from(`Prompt: ${ascii(graph(FOX.prompt))}`), 2, false, false)),
    ],
  ])('in %s', (_where, bytes) => {
    expect(find(bytes())).toMatchObject({
      ...FOX,
      from: expect.stringContaining('workflow node 6 (CLIPTextEncode)'),
    });
  });

  const second = {
    '13': { class_type: 'KSampler', inputs: { positive: ['16', 0], negative: ['7', 0] } },
    '16': { class_type: 'CLIPTextEncode', inputs: { text: 'a white owl' } },
    '19': { class_type: 'SaveImage', inputs: { images: ['13', 0], filename_prefix: 'birds/owl' } },
    '20': { class_type: 'PreviewImage', inputs: { images: ['8', 0] } },
  };
  it('with savers of different prompts is told apart by the name of the file, or not at all', () => {
    const bytes = withChunks(text('prompt', ascii(graph('a red fox', second))));
    expect(find(bytes, 'out/owl_00001_.png')).toMatchObject({ prompt: 'a white owl', certain: true });
    expect(find(bytes, 'fox_00001_.png')).toMatchObject({ prompt: 'a red fox', certain: true });
    expect(find(bytes, 'renamed.png')).toMatchObject({
      prompt: null,
      reason: 'its workflow saves images of different prompts (nodes 9, 19)',
    });
  });

  it('that does not tell is helped by what the saver wrote, unless it is a placeholder', () => {
    const unknown = {
      '6': { class_type: 'CLIPTextEncode', inputs: { text: ['5', 0] } },
      '5': { class_type: 'OllamaGenerate', inputs: { prompt: 'Write!' } },
    };
    const chunk = text('prompt', ascii(graph('', unknown)));
    expect(find(withChunks(chunk, international('parameters', INFOTEXT)))).toMatchObject(FOX);
    expect(
      find(withChunks(chunk, text('parameters', 'unknown\nSteps: 20, Sampler: Euler, Seed: 1'))),
    ).toMatchObject({ prompt: null, reason: expect.stringContaining('language model') });
  });
});

describe('what other programs write', () => {
  const words = { prompt: 'a red fox', negative: 'ugly' };
  it.each([
    ['SwarmUI', 'parameters', { sui_image_params: { prompt: 'a red fox', negativeprompt: 'ugly' } }],
    ['InvokeAI', 'invokeai_metadata', { positive_prompt: 'a red fox', negative_prompt: 'ugly', seed: 1 }],
    [
      'InvokeAI 2',
      'sd-metadata',
      { image: { prompt: [{ prompt: 'a red fox [ugly]', weight: 1 }], seed: 1 } },
    ],
    ['NovelAI', 'Comment', { prompt: 'a red fox', uc: 'ugly', steps: 28 }],
    [
      'NovelAI 4',
      'Comment',
      {
        prompt: 'x',
        uc: 'y',
        v4_prompt: { caption: { base_caption: 'a red fox' } },
        v4_negative_prompt: { caption: { base_caption: 'ugly' } },
      },
    ],
    [
      'NovelAI 4, characters',
      'Comment',
      {
        v4_prompt: {
          caption: { base_caption: 'a red', char_captions: [{ char_caption: 'fox' }, { char_caption: '' }] },
        },
        v4_negative_prompt: { caption: { base_caption: 'ugly', char_captions: [] } },
      },
      'a red, fox',
    ],
    ['Fooocus', 'parameters', { prompt: 'a red fox', negative_prompt: 'ugly', base_model: 'm' }],
    ['Draw Things', 'exif:UserComment', { c: 'a red fox', uc: 'ugly', seed: 1 }],
    ['TensorArt', 'generation_data', { prompt: 'a red fox', negativePrompt: 'ugly' }],
    [
      'Civitai',
      'UserComment',
      { extra: {}, extraMetadata: JSON.stringify({ prompt: 'a red fox', negativePrompt: 'ugly' }) },
    ],
  ])('%s', (_program, key, json, prompt = words.prompt) => {
    expect(findInTexts([{ place: 'somewhere', key, text: JSON.stringify(json) }])).toMatchObject({
      ...{ ...words, prompt },
      certain: true,
      from: 'somewhere',
    });
  });

  it.each([
    ['"a red fox [ugly, bad]" -s 50 -S 1 -W 512 -H 512 -C 7.5 -A k_lms', 'a red fox', 'ugly, bad'],
    ['a red fox -s50 -S1234', 'a red fox', null],
    ['"a red-hot \\(fox\\) - painting" --seamless', 'a red-hot (fox) - painting', null],
  ])('early InvokeAI: %s', (text, prompt, negative) => {
    const found = findInTexts([{ place: 'PNG chunk Dream', key: 'Dream', text }]);
    expect(found).toMatchObject({ prompt, negative, certain: true });
  });

  it('a chunk for each side', () => {
    const chunks = { prompt: 'a red fox', negative_prompt: 'ugly', seed: '5' };
    const texts = Object.entries(chunks).map(([key, text]) => ({ place: `PNG chunk ${key}`, key, text }));
    expect(findInTexts(texts)).toMatchObject({ ...words, certain: true });
  });

  it('a remark is not taken for a prompt, whoever made it', () => {
    const remark = { place: 'PNG chunk Comment', key: 'Comment', text: 'edited by me' };
    expect(findInTexts([remark])).toMatchObject({
      ...{ prompt: null, from: null, certain: false },
      reason: expect.stringContaining('comment'),
    });
    const described = { place: 'ImageDescription', key: 'ImageDescription', text: 'a red fox' };
    expect(findInTexts([remark, described])).toMatchObject({ prompt: 'a red fox', certain: false });
    const job = { ...remark, text: 'a red fox Job ID: 01234567-89ab-cdef-0123-456789abcdef' };
    expect(findInTexts([job])).toMatchObject({ prompt: 'a red fox', certain: true });
  });

  it.each(['parameters', 'UserComment', 'Comment'])('what is only enlarged has none: %s', (key) => {
    for (const text of [
      'Postprocess upscale by: 4, Postprocess upscaler: R-ESRGAN 4x+',
      'Postprocess GFPGAN visibility: 0.5',
    ])
      expect(findInTexts([{ place: key, key, text }])).toMatchObject({ prompt: null, from: null });
    const after = 'a red fox\nNegative prompt: ugly\nSteps: 20, Seed: 1, Postprocess upscale by: 4';
    expect(findInTexts([{ place: key, key, text: after }])).toMatchObject(words);
  });

  it('Midjourney: flags and a job', () => {
    const found = find(
      withChunks(
        text('Description', 'a red fox --ar 3:2 --v 6 Job ID: 01234567-89ab-cdef-0123-456789abcdef'),
      ),
    );
    expect(found).toMatchObject({ prompt: 'a red fox', certain: true });
  });

  it('XMP: a description, which may be any', async () => {
    const xmp = (inside: string) =>
      Buffer.concat([photo!.subarray(0, 2), xmpSegment(packet(inside)), photo!.subarray(2)]);
    const described =
      '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a red fox &amp; an owl</rdf:li></rdf:Alt></dc:description>';
    expect(find(xmp(described))).toMatchObject({
      prompt: 'a red fox & an owl',
      from: 'XMP dc:description',
      certain: false,
    });
    const inPng = withChunks(international('XML:com.adobe.xmp', packet(described)));
    expect(find(inPng)).toMatchObject({ prompt: 'a red fox & an owl' });
    const json =
      '<exif:UserComment>{&quot;c&quot;:&quot;a red fox&quot;,&quot;uc&quot;:&quot;ugly&quot;}</exif:UserComment>';
    expect(find(xmp(json))).toMatchObject({ ...words, from: 'XMP exif:UserComment' });
  });
});

describe('a GIF', () => {
  /** With this extension before its first image. */
  const gifWith = async (extension: Buffer): Promise<Buffer> => {
    const gif = await sharp(photo!).gif().toBuffer();
    const behind = 13 + (gif[10]! & 0x80 ? 3 * 2 ** ((gif[10]! & 7) + 1) : 0);
    return Buffer.concat([gif.subarray(0, behind), extension, gif.subarray(behind)]);
  };
  const blocks = (bytes: Buffer): Buffer => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 255) {
      const piece = bytes.subarray(at, at + 255);
      pieces.push(Buffer.from([piece.length]), piece);
    }
    return Buffer.concat([...pieces, Buffer.from([0])]);
  };
  const commented = (words: string) =>
    gifWith(Buffer.concat([Buffer.from([0x21, 0xfe]), blocks(Buffer.from(words))]));

  it('has it in a comment, of any length', async () => {
    const long = INFOTEXT.replace('a red fox', `a red fox, ${'snow '.repeat(200)}`);
    const found = find(await commented(long));
    expect(found).toMatchObject({ negative: 'ugly', from: 'comment', certain: true });
    expect(found.prompt).toMatch(/^a red fox, (snow )+snow.*狐$/);
    expect(find(await commented('made with love'))).toMatchObject({ prompt: null, certain: false });
  });

  it('has it in XMP', async () => {
    const tail = Buffer.from([1, ...Array.from({ length: 256 }, (_, i) => 255 - i), 0]);
    const described = '<dc:description><rdf:Alt><rdf:li>a red fox</rdf:li></rdf:Alt></dc:description>';
    const head = Buffer.from('\x21\xff\x0bXMP DataXMP', 'latin1');
    const bytes = await gifWith(Buffer.concat([head, Buffer.from(packet(described)), tail]));
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'gif' });
    expect(find(bytes)).toMatchObject({ prompt: 'a red fox', from: 'XMP dc:description' });
  });

  it('without one says so, and one that is cut short is not sure', async () => {
    const bytes = await commented(INFOTEXT);
    const bare = await sharp(photo!).gif().toBuffer();
    expect(find(bare)).toMatchObject({ prompt: null, certain: true });
    for (let end = 6; end < bytes.length; end += 3) find(bytes.subarray(0, end));
    expect(find(bare.subarray(0, bare.length - 4))).toMatchObject({ prompt: null, certain: false });
    expect(find(bytes.subarray(0, bytes.length - 4))).toMatchObject(FOX);
  });
});

describe('a file carries no prompt', () => {
  it('when it is a photograph, or nothing is in it', async () => {
    const photograph = await sharp(photo!)
      .withExif({ IFD0: { ImageDescription: 'at the sea' }, IFD2: { ExposureTime: '1/100' } })
      .jpeg()
      .toBuffer();
    for (const bytes of [base!, photo!, photograph, Buffer.from('hello'), Buffer.alloc(0)])
      expect(find(bytes)).toMatchObject({
        ...{ prompt: null, from: null, certain: true },
        reason: 'the file carries no prompt',
      });
    const camera = withExif(exif(0x010e, Buffer.from('OLYMPUS DIGITAL CAMERA'), 2, true, false));
    expect(find(camera).prompt).toBeNull();
  });

  it('when its text would fill the memory', () => {
    const bomb = packed('parameters', Buffer.alloc(64 * 2 ** 20, 'a '));
    expect(bomb.length).toBeLessThan(200_000);
    expect(find(withChunks(bomb)).prompt).toBeNull();
    const many = Array.from({ length: 50 }, () => packed('x', Buffer.alloc(2 * 2 ** 20, 'a ')));
    expect(textsOf(withChunks(...many)).length).toBeLessThan(4);
  });

  it.each([
    ['cut short', () => base!.subarray(0, base!.length - 20), /^the file is damaged or cut short$/],
    ['a JPEG that is cut short', () => photo!.subarray(0, 30), /^the file is damaged or cut short$/],
    [
      'with a text too long to be read',
      () => withChunks(packed('parameters', Buffer.alloc(2 ** 22, 'a '))),
      /^PNG chunk parameters is damaged or too long/,
    ],
    ['JPEG XL', () => Buffer.from('\xff\x0a123', 'latin1'), /^JPEG XL is not looked through$/],
    ['with a choice that is open', () => withChunks(text('parameters', '{a|b} fox')), /cannot be known/],
    [
      'with a workflow that tells nothing',
      () => withChunks(text('prompt', ascii(graph(['77', 0])))),
      /node 77 is not in/,
    ],
    [
      'with savers of different kinds',
      () => {
        const more = {
          '10': { class_type: 'SaveImage', inputs: { images: ['11', 0] } },
          '11': { class_type: 'LoadImage', inputs: {} },
        };
        return withChunks(text('prompt', ascii(graph('', more))));
      },
      /picture that was loaded/,
    ],
  ] as const)('for certain, not when it is %s', (_what, bytes, reason) => {
    expect(find(bytes())).toMatchObject({
      prompt: null,
      certain: false,
      reason: expect.stringMatching(reason),
    });
  });

  it('or an empty one, for certain', () => {
    const encoder = { prompt: null, negative: 'ugly', certain: true };
    const empty = withChunks(text('prompt', ascii(graph('  '))));
    expect(find(empty)).toMatchObject({
      ...encoder,
      reason: expect.stringMatching(/^the prompt is empty: what guides node 3/),
    });
    const tags = withChunks(
      text('parameters', `<lora:x:1>\nNegative prompt: ugly\nSteps: 20, Seed: 1, Size: 8x8`),
    );
    expect(find(tags)).toMatchObject({ ...encoder, reason: 'nothing but tags is left of the prompt' });
  });

  it('or has it before the damage', () => {
    const whole = withChunks(international('parameters', INFOTEXT));
    expect(find(whole.subarray(0, whole.length - 30))).toMatchObject(FOX);
    for (let end = 0; end < whole.length; end += 7) find(whole.subarray(0, end));
    const camera = withExif(comment(INFOTEXT, 'BE'));
    for (let at = 0; at < 400; at++) {
      const changed = Buffer.from(camera);
      changed[at] = changed[at]! ^ 0xff;
      find(changed);
    }
  });
});
