/** Images as numpy saves them, over HTTP. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { readNpy } from '../../../src/bridge/server/wire/npy.ts';
import { anyOf, bytes, key, leaf, outcome, spoilt } from '../../support/arbitrary.ts';
import { picture } from '../../support/images.ts';
import { ask, closeAll } from './harness.ts';
import { pack, type RealRig, startReal } from './real.ts';

afterEach(closeAll);

interface Header {
  descr?: string;
  order?: string;
  shape?: number[];
}

/** What `np.save` writes: a header that ends at a multiple of 64 bytes, and the values. */
function npy(
  data: Uint8Array,
  { descr = "'|u1'", order = 'False', shape = [1, 64, 64, 3] }: Header = {},
  version = 1,
): Buffer {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': (${dims}), }`;
  const lead = version === 1 ? 10 : 12;
  const padded = `${text.padEnd(Math.ceil((lead + text.length + 1) / 64) * 64 - lead - 1)}\n`;
  const start = Buffer.alloc(lead);
  start.write('\x93NUMPY', 'latin1');
  start[6] = version;
  if (version === 1) start.writeUInt16LE(padded.length, 8);
  else start.writeUInt32LE(padded.length, 8);
  return Buffer.concat([start, Buffer.from(padded, 'latin1'), data]);
}

const post = (rig: RealRig, path: string, body: Uint8Array) =>
  ask(rig, path, { method: 'POST', headers: { 'content-type': 'application/x-npy' }, body });

const line = (request: object): Buffer => Buffer.from(`${JSON.stringify(request)}\n`);

const pixels = picture(64, 64).data;
const two = Buffer.concat([pixels, Buffer.from(pixels).reverse()]);

test('are scored as the same pixels are in MessagePack, each by its item', async () => {
  const rig = await startReal();
  const items = [{ id: 'a', prompt: '4', group: 'g' }, { prompt: '2' }];
  const body = Buffer.concat([
    line({ items, profile: 'default', advantage: 'rank' }),
    npy(two, { shape: [2, 64, 64, 3] }),
  ]);
  const reply = await post(rig, '/v1/rewards', body);
  expect(reply.status).toBe(200);
  const raw = (data: Uint8Array) => ({ format: 'rgb8', width: 64, height: 64, data });
  const images = [two.subarray(0, pixels.length), two.subarray(pixels.length)];
  const same = {
    ...{ profile: 'default', advantage: 'rank' },
    items: items.map((item, i) => ({ ...item, image: raw(images[i]!) })),
  };
  expect(reply.body).toEqual((await pack(rig, '/v1/rewards', same)).body);
  expect(reply.body.results.map((r: { id: string; group: string }) => [r.id, r.group])).toEqual([
    ['a', 'g'],
    ['1', null],
  ]);
});

test.each([
  ['version 2', npy(pixels, {}, 2), 1],
  ['one image without its number', npy(pixels, { shape: [64, 64, 3] }), 1],
  ['four channels', npy(new Uint8Array(64 * 64 * 4).fill(200), { shape: [1, 64, 64, 4] }), 1],
  ['another word for bytes', npy(two, { descr: "'<u1'", shape: [2, 64, 64, 3] }), 2],
])('are taken without a line of JSON: %s', async (_, body, count) => {
  const reply = await post(await startReal(), '/v1/score', body);
  expect([reply.status, reply.body.results?.length]).toEqual([200, count]);
});

describe('are refused', () => {
  const pickle = Buffer.from('\x80\x04\x95', 'latin1');
  test.each([
    [
      'objects',
      npy(Buffer.concat([pickle]), { descr: "'|O'", shape: [1] }),
      422,
      'ARRAY_UNFIT',
      'a pickle and never read',
    ],
    ['a pickle', pickle, 400, 'MALFORMED_BODY', 'it is a pickle, which is never read'],
    [
      'floats',
      npy(new Uint8Array(64 * 64 * 12), { descr: "'<f4'" }),
      422,
      'ARRAY_UNFIT',
      'values of type <f4',
    ],
    ['records', npy(pixels, { descr: "[('r', '|u1')]" }), 422, 'ARRAY_UNFIT', 'records'],
    ['channels first', npy(pixels, { shape: [1, 3, 64, 64] }), 422, 'ARRAY_UNFIT', 'channels first'],
    ['grey', npy(new Uint8Array(4096), { shape: [1, 64, 64, 1] }), 422, 'ARRAY_UNFIT', '(1, 64, 64, 1)'],
    ['two dimensions', npy(new Uint8Array(4096), { shape: [64, 64] }), 422, 'ARRAY_UNFIT', '(64, 64)'],
    ['no image', npy(new Uint8Array(0), { shape: [0, 64, 64, 3] }), 422, 'ARRAY_UNFIT', '(0, 64, 64, 3)'],
    ['Fortran order', npy(pixels, { order: 'True' }), 422, 'ARRAY_UNFIT', 'Fortran order'],
    ['a cut', npy(pixels.subarray(1)), 400, 'MALFORMED_BODY', 'needs 12288 bytes, 12287 came'],
    ['a cut header', npy(pixels).subarray(0, 40), 400, 'MALFORMED_BODY', 'it ends in its header'],
    [
      'a size beyond numbers',
      npy(pixels, { shape: [1, 999999999, 999999999, 3] }),
      400,
      'MALFORMED_BODY',
      'bytes',
    ],
    ['no array', Buffer.from('RIFF'), 400, 'MALFORMED_BODY', 'it does not begin with'],
    ['nothing', Buffer.alloc(0), 400, 'MALFORMED_BODY', 'it does not begin with'],
    [
      'a line that is no JSON',
      Buffer.concat([Buffer.from('{"a\n'), npy(pixels)]),
      400,
      'MALFORMED_BODY',
      'JSON',
    ],
    ['a line without an end', Buffer.from('{"a":1}'), 400, 'MALFORMED_BODY', 'no line end'],
    [
      'more items than images',
      Buffer.concat([line({ items: [{}, {}] }), npy(pixels)]),
      400,
      'BAD_REQUEST',
      'as many as there are images',
    ],
    [
      'an unknown field',
      Buffer.concat([line({ promt: 'x' }), npy(pixels)]),
      400,
      'BAD_REQUEST',
      'did you mean "prompt"?',
    ],
    [
      'an item that is none',
      Buffer.concat([line({ items: [7] }), npy(pixels)]),
      400,
      'BAD_REQUEST',
      'items[0]',
    ],
    [
      'an item with an image',
      Buffer.concat([line({ items: [{ image: 'AA==' }] }), npy(pixels)]),
      400,
      'BAD_REQUEST',
      'items[0]',
    ],
  ])('when they are %s', async (_, body, status, code, words) => {
    const rig = await startReal();
    const reply = await post(rig, '/v1/score', body);
    expect([reply.status, reply.body.error?.code]).toEqual([status, code]);
    expect(reply.body.error?.message ?? '').toContain(words);
    expect((await post(rig, '/v1/score', npy(pixels))).status).toBe(200);
  });

  test('where there are more than one request may have', async () => {
    const rig = await startReal({ limits: { maxItems: 1 } });
    const reply = await post(rig, '/v1/score', npy(two, { shape: [2, 64, 64, 3] }));
    expect([reply.status, reply.body.error.code]).toEqual([400, 'BAD_REQUEST']);
    expect(reply.body.error.message).toContain('2 came, the limit is 1');
  });
});

describe('of any kind', () => {
  const side = fc.integer({ min: 1, max: 9 });
  const array = fc
    .record({
      shape: fc.tuple(side, side, side, fc.constantFrom(3, 4)),
      version: fc.constantFrom(1, 2, 3),
      descr: fc.constantFrom("'|u1'", "'<u1'", "'=u1'", "'u1'"),
    })
    .map(({ shape, version, descr }) => {
      const size = shape.reduce((product, dim) => product * dim);
      const data = Uint8Array.from({ length: size }, (_, i) => i * 7);
      return { shape, data, file: npy(data, { descr, shape }, version) };
    });

  test('give back their images', () => {
    fc.assert(
      fc.property(array, ({ shape, data, file }) => {
        const { images, width, height, format } = readNpy(file);
        expect([images.length, height, width, format === 'rgb8' ? 3 : 4]).toEqual(shape);
        expect(Buffer.concat(images)).toEqual(Buffer.from(data));
      }),
      { numRuns: 200 },
    );
  });

  test('are refused when they are none', async () => {
    const text = fc.string({ unit: fc.constantFrom(...`{}()[]',:|<u1O84 TrueFalsdchpnot_`), maxLength: 99 });
    const made = text.map((descr) => npy(pixels.subarray(0, 99), { descr }));
    const body = fc.oneof(bytes(), made, spoilt(array.map(({ file }) => file)));
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const found = await outcome(() => readNpy(given));
        if ('code' in found) return void expect(['MALFORMED_BODY', 'ARRAY_UNFIT']).toContain(found.code);
        const { images, width, height, format } = found.value;
        for (const image of images) expect(image).toHaveLength(width * height * (format === 'rgb8' ? 3 : 4));
      }),
      { numRuns: 500 },
    );
  });

  test('are answered with any line of JSON before them, and by no fault of ours', async () => {
    const rig = await startReal();
    const known = { items: fc.array(fc.dictionary(key, leaf), { maxLength: 3 }), prompt: leaf };
    const text = fc
      .oneof(anyOf(), fc.record(known, { requiredKeys: [] }))
      .map((value) => JSON.stringify(value));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(text, fc.constant('')),
        spoilt(array.map(({ file }) => file)),
        async (first, file) => {
          const { status, body } = await post(
            rig,
            '/v1/score',
            Buffer.concat([Buffer.from(`${first}\n`), file]),
          );
          expect([200, 400, 422]).toContain(status);
          if (status !== 200) expect(body.error.code).toMatch(/^(MALFORMED_BODY|BAD_REQUEST|ARRAY_UNFIT)$/);
        },
      ),
      { numRuns: 60 },
    );
    expect((await post(rig, '/v1/score', npy(pixels))).status).toBe(200);
  });
});
