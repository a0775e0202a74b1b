import { describe, expect, it } from 'vitest';
import { pillowResize, torchResize } from '../../../src/reward/image/resample.ts';
import { chooseWindows, makeView, makeWindows, type ViewSpec } from '../../../src/reward/image/views.ts';
import { EXACT_KERNELS } from '../../../src/reward/model/manifest.ts';
import { flat, noise, rgb } from '../../support/images.ts';
import { bytes, expectClose, expectPixels, floats, source, views, windows } from './vectors/vectors.ts';

const PLAN = {
  width: 224,
  height: 224,
  count: 15,
  stride: 32,
  largeStride: 48,
  largeSide: 1024,
  enlargeTo: 512,
  whole: true,
};

describe('one view', () => {
  it.each(views)('$resize of $source as $width×$height with $kernel', ({ source: name, pixels, ...spec }) => {
    expectPixels(makeView(source(name), spec), spec.kernel, pixels);
  });

  it('of the wanted size is the image itself, however it is fitted', () => {
    const image = noise(40, 40);
    for (const resize of ['stretch', 'cover', 'contain'] as const) {
      const made = makeView(image, { width: 40, height: 40, resize, kernel: 'pillow-cubic' });
      expect(made).toEqual(image.data);
    }
  });

  it('keeps at least a line of what is far longer than wide', () => {
    const image = rgb(1, 900, () => [200, 200, 200]);
    const spec: ViewSpec = { width: 10, height: 10, resize: 'contain', kernel: 'pillow-linear' };
    const made = makeView(image, spec);
    // 4.5 columns on the left go to the even neighbour.
    const bright = Array.from(made).flatMap((v, i) => (v === 200 ? [Math.floor(i / 3) % 10] : []));
    expect([bright.length, new Set(bright)]).toEqual([30, new Set([4])]);
  });

  it.each(['stretch', 'cover', 'contain'] as const)('%s has the wanted size for any image', (resize) => {
    for (const [w, h] of [
      [1, 1],
      [1, 300],
      [300, 1],
      [7, 5],
    ] as const)
      for (const kernel of EXACT_KERNELS)
        expect(makeView(noise(w, h), { width: 12, height: 9, resize, kernel }).length).toBe(12 * 9 * 3);
  });
});

describe('windows', () => {
  it.each(windows)('of $source with %o', (expected) => {
    const made = makeWindows(source(expected.source), { ...expected.plan, whole: true });
    expect(Buffer.compare(made.windows, bytes(expected.windows))).toBe(0);
    expectClose(made.whole!, floats(expected.whole));
  });

  it.each([
    ['every 6th of 10 × 10', 512, 512, 14, [(84 % 10) * 32, 8 * 32]],
    ['every 19th of 17 × 17 at the large stride', 1024, 1024, 1, [96, 48]],
    ['the large stride when one side is large', 512, 1024, 1, [0, 48]],
  ])('take %s', (_name, width, height, i, [x, y]) => {
    expect(chooseWindows({ width, height }, PLAN)[i]).toEqual({ x, y, width: 224, height: 224 });
  });

  it('of fewer than are wanted are all the first', () => {
    const boxes = chooseWindows({ width: 288, height: 288 }, PLAN);
    expect(boxes).toEqual(Array(15).fill({ x: 0, y: 0, width: 224, height: 224 }));
  });

  it('stay inside, for any size', () => {
    for (let width = 224; width < 1300; width += 37)
      for (let height = 224; height < 1300; height += 41) {
        const boxes = chooseWindows({ width, height }, PLAN);
        expect(boxes.every(({ x, y }) => x + 224 <= width && y + 224 <= height)).toBe(true);
      }
  });

  it('that do not fit in are refused', () => {
    expect(() => makeWindows(noise(300, 200), { ...PLAN, enlargeTo: 0 })).toThrow(
      'no window of 224×224 fits into 300×200 pixels',
    );
  });

  it.each([
    [8, 700, 64, 5600],
    [700, 8, 5600, 64],
    [50, 90, 64, 115],
    [1, 1, 64, 64],
  ])('of an enlarged %i×%i image are those of all of it', (width, height, largeWidth, largeHeight) => {
    const plan = { ...PLAN, width: 24, height: 20, enlargeTo: 64, stride: 8, largeStride: 12 };
    const image = noise(width, height);
    const size = { width: largeWidth, height: largeHeight };
    const whole = pillowResize(image, size, 'linear');
    const made = makeWindows(image, plan);
    const wanted = chooseWindows(size, plan).map((box) => pillowResize(image, size, 'linear', box).data);
    expect(Buffer.compare(made.windows, Buffer.concat(wanted))).toBe(0);
    expect(made.whole).toEqual(torchResize(whole, { width: 24, height: 20 }));
    expect(makeWindows(image, { ...plan, whole: false })).toEqual({ windows: made.windows, whole: null });
  });

  it('of a long strip cost no more memory than their columns', () => {
    const before = process.memoryUsage().arrayBuffers;
    const { windows: made } = makeWindows(noise(16_384, 8), PLAN);
    expect(made.length).toBe(15 * 224 * 224 * 3);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
  });

  it('of one colour have that colour', () => {
    const { windows: made, whole } = makeWindows(flat([10, 20, 30], 100), PLAN);
    expect(made.every((value, i) => value === 10 + 10 * (i % 3))).toBe(true);
    expect(whole!.every((value, i) => Math.abs(value - 10 - 10 * (i % 3)) < 1e-4)).toBe(true);
  });
});
