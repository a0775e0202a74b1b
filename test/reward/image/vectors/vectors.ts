/** What Pillow, torch and OpenCV make of a few small images; `make.py` writes the files. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { ViewSpec, WindowsSpec } from '../../../../src/reward/image/views.ts';
import type { ExactKernel } from '../../../../src/reward/model/manifest.ts';
import type { Pixels } from '../../../../src/types/image.ts';

interface Resize {
  source: string;
  width: number;
  height: number;
  kernel: ExactKernel;
  pixels: string;
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));

const { sources, resizes } = read('resample.json') as { sources: Record<string, string>; resizes: Resize[] };
const { views, windows } = read('windows.json') as {
  views: (Resize & ViewSpec)[];
  windows: { source: string; plan: Omit<WindowsSpec, 'whole'>; windows: string; whole: string }[];
};

export { resizes, views, windows };

export const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
export const floats = (base64: string): Float32Array => new Float32Array(bytes(base64).buffer);

/** The image named by its size, `37x53`. */
export function source(name: string): Pixels {
  const [width, height] = name.split('x').map(Number);
  return { data: bytes(sources[name]!), width: width!, height: height! };
}

/** Same length, and no value is off by more than float32 sums in another order are. */
export function expectClose(found: Float32Array, wanted: Float32Array): void {
  expect(found.length).toBe(wanted.length);
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
  expect(worst).toBeLessThan(1e-4);
}

/** What Pillow and OpenCV made is met exactly, what torch made up to float32 rounding. */
export function expectPixels(found: Uint8Array | Float32Array, kernel: ExactKernel, wanted: string): void {
  if (kernel === 'torch-linear') expectClose(found as Float32Array, floats(wanted));
  else expect(Buffer.compare(found as Uint8Array, bytes(wanted))).toBe(0);
}
