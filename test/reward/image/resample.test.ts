import { describe, expect, it } from 'vitest';
import { opencvResize } from '../../../src/reward/image/opencv.ts';
import { type Filter, pillowPick, pillowResize, torchResize } from '../../../src/reward/image/resample.ts';
import type { Pixels } from '../../../src/types/image.ts';
import { flat, noise } from '../../support/images.ts';
import { expectPixels, resizes, source } from './vectors/vectors.ts';

const FILTERS: Filter[] = ['linear', 'cubic'];

/** A part of interleaved RGB, copied pixel by pixel. */
function crop<T extends Uint8Array | Float32Array>(data: T, width: number, box: number[]): number[] {
  const [x, y, w, h] = box as [number, number, number, number];
  return Array.from({ length: w * h * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return data[((y + Math.floor(pixel / w)) * width + x + (pixel % w)) * 3 + (i % 3)]!;
  });
}

describe('resample', () => {
  it.each(resizes)('$source to $width×$height with $kernel', ({ source: name, kernel, pixels, ...to }) => {
    const image = source(name);
    if (kernel === 'torch-linear') return expectPixels(torchResize(image, to), kernel, pixels);
    if (kernel === 'opencv-cubic') return expectPixels(opencvResize(image, to), kernel, pixels);
    const made = pillowResize(image, to, kernel === 'pillow-cubic' ? 'cubic' : 'linear');
    expect(made).toMatchObject(to);
    expectPixels(made.data, kernel, pixels);
  });

  it.each([
    [1, 1],
    [5, 300],
    [64, 64],
    [100, 7],
    [301, 130],
  ])('keeps one colour at %i×%i', (width, height) => {
    const image = flat([255, 77, 0], 64);
    const wanted = flat([255, 77, 0], Math.max(width, height)).data.subarray(0, width * height * 3);
    for (const filter of FILTERS)
      expect(Buffer.compare(pillowResize(image, { width, height }, filter).data, wanted)).toBe(0);
    expect(Buffer.compare(opencvResize(image, { width, height }), wanted)).toBe(0);
    const found = torchResize(image, { width, height });
    expect(found.every((value, i) => Math.abs(value - wanted[i]!) < 1e-4)).toBe(true);
  });

  it('returns an image of the wanted size as it is', () => {
    const image = noise(41, 23);
    for (const filter of FILTERS) expect(pillowResize(image, image, filter).data).toBe(image.data);
    expect(torchResize(image, image)).toEqual(Float32Array.from(image.data));
  });

  it.each([
    ['smaller', 30, 22],
    ['larger', 90, 140],
    ['as wide', 57, 20],
    ['as high', 20, 43],
    ['as large', 57, 43],
  ])('computes parts of an image made %s alone', (_name, width, height) => {
    const image = noise(57, 43);
    for (const [x, y, w, h] of [
      [0, 0, 5, 6],
      [3, 0, width - 3, height],
      [0, 7, width, 1],
      [width - 1, height - 4, 1, 4],
    ] as const) {
      const box = { x, y, width: w, height: h };
      for (const filter of FILTERS) {
        const full = pillowResize(image, { width, height }, filter);
        const part = pillowResize(image, { width, height }, filter, box);
        expect([part.width, part.height]).toEqual([w, h]);
        expect(Array.from(part.data)).toEqual(crop(full.data, width, [x, y, w, h]));
      }
      const skipping = opencvResize(image, { width, height });
      expect(Array.from(opencvResize(image, { width, height }, box))).toEqual(
        crop(skipping, width, [x, y, w, h]),
      );
      const full = torchResize(image, { width, height });
      const part = torchResize(image, { width, height }, box);
      expect(Array.from(part)).toEqual(crop(full, width, [x, y, w, h]));
    }
  });

  it('computes scattered columns and rows alone', () => {
    const image = noise(20, 30);
    const to = { width: 50, height: 45 };
    const [columns, rows] = [Int32Array.of(0, 7, 8, 49), Int32Array.of(2, 40)];
    const full = pillowResize(image, to, 'cubic').data;
    const wanted = [...rows].flatMap((y) => [...columns].flatMap((x) => crop(full, 50, [x, y, 1, 1])));
    expect(Array.from(pillowPick(image, to, 'cubic', columns, rows).data)).toEqual(wanted);
  });

  it('reads the middle of a long strip without making the rest', () => {
    const strip: Pixels = noise(16_384, 8);
    const to = { width: 458_752, height: 224 };
    const before = process.memoryUsage().arrayBuffers;
    const part = pillowResize(strip, to, 'cubic', { x: 229_264, y: 0, width: 224, height: 224 });
    expect(part.data.length).toBe(224 * 224 * 3);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20e6);
  });

  it('does not change its input', () => {
    const image = noise(30, 20);
    const before = image.data.slice();
    pillowResize(image, { width: 11, height: 44 }, 'cubic');
    torchResize(image, { width: 11, height: 44 });
    opencvResize(image, { width: 11, height: 44 });
    expect(image.data).toEqual(before);
  });
});
