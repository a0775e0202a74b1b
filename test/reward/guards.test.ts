import { describe, expect, it } from 'vitest';
import { decode } from '../../src/reward/decode.ts';
import { inspect } from '../../src/reward/guards.ts';
import { wrongOrder } from '../../src/reward/layout.ts';
import type { Pixels } from '../../src/types.ts';
import { flat, jpeg, noise, picture, png, random, rgb, toSharp } from '../support/images.ts';

const domain = { minSide: 64, maxAspectRatio: 4 };
const names = (pixels: Pixels): string[] => inspect(pixels, domain).map((f) => f.guard);
const load = async (bytes: Buffer) =>
  decode(
    { kind: 'encoded', bytes },
    { maxImageBytes: 1e8, maxPixels: 1e8, maxSide: 1e5, background: '#ffffff' },
  );

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
