import { describe, expect, it } from 'vitest';
import { decode } from '../../../src/reward/image/decode.ts';
import { inspect } from '../../../src/reward/image/guards.ts';
import { type RawImage, wrongOrder } from '../../../src/reward/image/pixel-order.ts';
import type { Pixels } from '../../../src/types/image.ts';
import { flat, jpeg, noise, picture, png, random, rgb, toSharp } from '../../support/images.ts';

const domain = { minSide: 64, maxAspectRatio: 4 };
const names = (pixels: Pixels): string[] => inspect(pixels, domain).map((f) => f.guard);
const load = async (bytes: Buffer) =>
  decode(
    { kind: 'encoded', bytes },
    { maxImageBytes: 1e8, maxPixels: 1e8, maxSide: 1e5, background: '#ffffff' },
  );

/** Patches of 8 pixels that run into each other, each channel with its own: no place is like another far from it. */
function clouds(width: number, height: number): Pixels {
  const next = random(11);
  const across = (width >> 3) + 2;
  const knots = Array.from({ length: across * ((height >> 3) + 2) }, () => [next(), next(), next()]);
  const mix = (a: number, b: number, share: number) => a + (b - a) * share;
  return rgb(width, height, (x, y) => {
    const at = (y >> 3) * across + (x >> 3);
    const [u, v] = [(x % 8) / 8, (y % 8) / 8];
    const value = (c: number) =>
      255 *
      mix(
        mix(knots[at]![c]!, knots[at + 1]![c]!, u),
        mix(knots[at + across]![c]!, knots[at + across + 1]![c]!, u),
        v,
      );
    return [value(0), value(1), value(2)];
  });
}

describe('guards', () => {
  it('let a picture through, whatever its size', () => {
    for (const [w, h] of [
      [64, 64],
      [256, 128],
      [1024, 1024],
      [65, 259],
    ] as const)
      expect(names(picture(w, h))).toEqual([]);
  });

  it.each<[string, [number, number, number]]>([
    ['black', [0, 0, 0]],
    ['white', [255, 255, 255]],
    ['grey', [128, 128, 128]],
    ['red', [255, 0, 0]],
  ])('call %s blank', async (_name, colour) => {
    expect(names(flat(colour))).toContain('blank');
    expect(names(await load(await jpeg(flat(colour), 30)))).toContain('blank');
  });

  const gauss = () => {
    const next = random(3);
    const normal = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
    return rgb(256, 256, () => [128 + 40 * normal(), 128 + 40 * normal(), 128 + 40 * normal()]);
  };
  const grey = () => {
    const next = random(4);
    return rgb(256, 256, () => {
      const value = next() * 256;
      return [value, value, value];
    });
  };
  const saltAndPepper = () => {
    const next = random(5);
    return rgb(256, 256, () => (next() < 0.5 ? [0, 0, 0] : [255, 255, 255]));
  };

  it.each([
    ['uniform noise', () => noise()],
    ['gaussian noise', gauss],
    ['grey noise', grey],
    ['salt and pepper', saltAndPepper],
    ['large noise', () => noise(768, 512)],
  ])('call %s noise, also after JPEG and enlargement', async (_name, make) => {
    const raw = make();
    expect(names(raw)).toContain('noise');
    for (const quality of [90, 50, 20])
      expect(names(await load(await jpeg(raw, quality)))).toContain('noise');
    const enlarged = toSharp(raw).extract({ left: 0, top: 0, width: 128, height: 128 }).resize(512, 512);
    expect(names(await load(await enlarged.png().toBuffer()))).toContain('noise');
  });

  it('do not call a grainy picture noise', () => {
    const next = random(6);
    const { data, ...size } = picture();
    expect(
      names({ ...size, data: data.map((v) => Math.max(0, Math.min(255, v + (next() - 0.5) * 60))) }),
    ).toEqual([]);
  });

  it.each<[string, number]>([
    ['black', 0],
    ['mid grey', 128],
  ])('call a picture whose lower part is %s corrupt', (_name, fill) => {
    const cut = picture();
    cut.data.fill(fill, Math.floor(256 * 0.7) * 256 * 3);
    expect(names(cut)).toContain('corrupt');
  });

  it('do not call a letterboxed or a fading picture corrupt', () => {
    const boxed = picture();
    boxed.data.fill(0, 0, 40 * 256 * 3);
    boxed.data.fill(0, 216 * 256 * 3);
    expect(names(boxed)).toEqual([]);
    const { data } = picture();
    const fading = rgb(256, 256, (x, y) => {
      const o = (y * 256 + x) * 3;
      const light = Math.max(0, 1 - y / 200);
      return [data[o]! * light, data[o + 1]! * light, data[o + 2]! * light];
    });
    expect(names(fading)).toEqual([]);
  });

  it('call thumbnails, ribbons and two-colour drawings out of domain', async () => {
    expect(names(picture(63, 200))).toContain('out-of-domain');
    expect(names(picture(700, 100))).toContain('out-of-domain');
    const drawing = rgb(256, 256, (x, y) => ((x >> 4) % 2 === (y >> 5) % 2 ? [0, 0, 0] : [255, 255, 255]));
    expect(names(await load(await png(drawing)))).toContain('out-of-domain');
  });

  describe('of raw pixels', () => {
    const [width, height] = [320, 240];
    const { data } = clouds(width, height);
    const area = width * height;
    /** One value for each place, by the value of the picture that belongs there. */
    const arranged = (at: (i: number) => number) => Uint8Array.from(data, (_, i) => data[at(i)]!);
    const withAlpha = Uint8Array.from({ length: 4 * area }, (_, i) =>
      i % 4 === 3 ? 255 : data[(i >> 2) * 3 + (i % 4)]!,
    );
    const padded = (more: number) =>
      Uint8Array.from(data, (_, i) => {
        const [x, y] = [i % (3 * (width + more)), Math.floor(i / (3 * (width + more)))];
        return x < 3 * width ? data[3 * width * y + x]! : 0;
      });
    const bytesOf = ({ buffer }: Float32Array | Float16Array) => new Uint8Array(buffer).subarray(0, 3 * area);
    const rgb8 = { format: 'rgb8', width, height } as const;

    const paddedBy = (more: number) => {
      const row = 3 * width + more;
      return data.map((_, i) =>
        i % row < 3 * width ? data[Math.floor(i / row) * 3 * width + (i % row)]! : 0,
      );
    };
    const inRows = (bytes: Uint8Array) =>
      bytes.map((_, i) => {
        const row = Math.floor(i / width);
        return bytes[(Math.floor(row / 3) * width + (i % width)) * 3 + (row % 3)]!;
      });
    /** Neighbours differ as much as any two pixels do, as in gravel. */
    const rough = rgb(width, height, (x, y) => {
      const grain = ((x * 7919 + y * 104_729) ^ (x * y)) % 90;
      return [grain + 40, grain + 60, grain + 90];
    }).data;

    it.each<[what: string, RawImage, string]>([
      [
        'planes',
        { ...rgb8, bytes: arranged((i) => (i % area) * 3 + Math.floor(i / area)) },
        'one plane a channel (CHW)',
      ],
      [
        'rows of planes',
        {
          ...rgb8,
          bytes: arranged((i) => {
            const row = Math.floor(i / width);
            return (Math.floor(row / 3) * width + (i % width)) * 3 + (row % 3);
          }),
        },
        'one row a channel (HCW)',
      ],
      ['RGBA, cut to fit', { ...rgb8, bytes: withAlpha.subarray(0, 3 * area) }, 'pixels of 4 values'],
      [
        'RGBA, with a width to fit',
        { ...rgb8, width: 2 * width, height: (height * 2) / 3, bytes: withAlpha },
        'pixels of 4 values',
      ],
      [
        'RGB as RGBA',
        { format: 'rgba8', width, height: height / 2, bytes: data.subarray(0, 2 * area) },
        'pixels of 3 values',
      ],
      [
        'float32',
        { ...rgb8, bytes: bytesOf(Float32Array.from(data, (v) => v / 255)) },
        'floating-point numbers of 32 bits',
      ],
      [
        'float16',
        { ...rgb8, bytes: bytesOf(Float16Array.from(data, (v) => v / 255)) },
        'floating-point numbers of 16 bits',
      ],
      ['padded rows', { ...rgb8, bytes: padded(7) }, 'rows of 327 pixels'],
      ['rows padded by a tenth', { ...rgb8, bytes: padded(32) }, 'rows of 352 pixels'],
      ['rows padded by a pixel', { ...rgb8, bytes: paddedBy(3) }, 'rows of 321 pixels'],
      ['rows padded by a byte', { ...rgb8, bytes: paddedBy(1) }, 'rows of 961 bytes'],
      ['rough rows of planes', { ...rgb8, bytes: inRows(rough) }, 'one row a channel (HCW)'],
    ])('see %s', (_, raw, order) => {
      expect(wrongOrder(raw)).toBe(order);
    });

    it('do not take slanted lines, grey, or a picture that is nearly black for another order', () => {
      const order = (of: Pixels) => wrongOrder({ ...rgb8, bytes: of.data });
      for (const slant of [1, 2, 7])
        expect(
          order(
            rgb(
              width,
              height,
              (x, y) =>
                [0, 1, 2].map((c) => 128 + 100 * Math.sin((x - slant * y) / 5 + c)) as [
                  number,
                  number,
                  number,
                ],
            ),
          ),
        ).toBeNull();
      expect(
        order(
          rgb(width, height, (x, y) => [
            data[(y * width + x) * 3]!,
            data[(y * width + x) * 3]!,
            data[(y * width + x) * 3]!,
          ]),
        ),
      ).toBeNull();
      expect(
        order(rgb(width, height, (x, y) => (x > 300 && y > 120 ? [60, 61, 62 + (x % 40)] : [0, 0, 0]))),
      ).toBeNull();
      expect(order({ data: rough, width, height })).toBeNull();
      const [x0, x1] = [100, width - 100];
      const inside = (x: number, y: number, c: number) => data[(y * width + x) * 3 + c]!;
      expect(
        order(
          rgb(width, height, (x, y) =>
            x < x0 || x > x1 ? [0, 0, 0] : [inside(x, y, 0), inside(x, y, 1), inside(x, y, 2)],
          ),
        ),
      ).toBeNull();
      const opaque = { format: 'rgba8', width, height, bytes: withAlpha } as const;
      expect(wrongOrder(opaque)).toBeNull();
      expect(wrongOrder({ ...opaque, bytes: withAlpha.map((v, i) => (i % 4 === 3 ? 0x3f : v)) })).toBeNull();
    });
  });

  it('do not call a picture with stripes, steps or one colour a wrong order of pixels', () => {
    const order = ({ data, width, height }: Pixels) =>
      wrongOrder({ format: 'rgb8', width, height, bytes: data });
    const step = (value: number): [number, number, number] => [value, value, value];
    for (const [width, height] of [
      [256, 256],
      [512, 256],
      [256, 384],
      [300, 200],
    ] as const) {
      expect(order(picture(width, height))).toBeNull();
      expect(order(rgb(width, height, (_, y) => step(y % 2 ? 250 : 5)))).toBeNull();
      expect(order(rgb(width, height, (_, y) => step((y >> 3) % 2 ? 250 : 5)))).toBeNull();
      expect(order(rgb(width, height, (x) => step((x >> 2) % 2 ? 250 : 5)))).toBeNull();
      expect(order(rgb(width, height, (_, y) => step((255 * y) / height)))).toBeNull();
      expect(order(rgb(width, height, () => [200, 20, 90]))).toBeNull();
      expect(order(noise(width, height))).toBeNull();
    }
  });

  it('find what is missing below in a large picture, and a row of it that is not', () => {
    const cut = picture(1500, 1000);
    cut.data.fill(0, 700 * 1500 * 3);
    expect(inspect(cut, domain)).toEqual([
      { guard: 'corrupt', message: 'the lowest 30 % are missing (decoder fill)' },
    ]);
    cut.data.fill(90, 990 * 1500 * 3, 994 * 1500 * 3);
    expect(names(cut)).toEqual([]);
  });

  it('say what they found', () => {
    const [finding] = inspect(flat([0, 0, 0]), domain);
    expect(finding!.message).toMatch(/one colour/);
  });
});
