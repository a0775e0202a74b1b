/** Whether a file is whole, and whether it moves, by its ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { glanceAt } from '../../src/files/glance.ts';
import { tempFolder } from '../support/files.ts';
import { picture, toSharp } from '../support/images.ts';

const still = () => toSharp(picture(48, 48));
const frames = async () =>
  sharp([await still().png().toBuffer(), await still().negate().png().toBuffer()], {
    join: { animated: true },
  });

async function look(bytes: Uint8Array) {
  const path = join(tempFolder(), 'file');
  writeFileSync(path, bytes);
  return glanceAt(path);
}

it.each([
  ['PNG', () => still().png().toBuffer(), false],
  ['JPEG', () => still().jpeg().toBuffer(), false],
  ['WebP', () => still().webp().toBuffer(), false],
  ['a WebP that moves', async () => (await frames()).webp().toBuffer(), true],
  ['a GIF that moves', async () => (await frames()).gif({ loop: 0 }).toBuffer(), true],
])('%s: whole, or cut', async (_what, make, isAnimated) => {
  const bytes = await make();
  expect(await look(bytes)).toEqual({ isWhole: true, isAnimated });
  for (const share of [0.3, 0.9])
    expect((await look(bytes.subarray(0, bytes.length * share))).isWhole).toBe(false);
});

it('knows nothing of other files, and never fails', async () => {
  const nothing = { isWhole: null, isAnimated: false };
  expect(await look(Buffer.from('hello'))).toEqual(nothing);
  expect(await look(new Uint8Array())).toEqual(nothing);
  expect(await look(Buffer.from('RIFF'))).toEqual(nothing);
  expect(await look(Buffer.from('RIFF....WEBP'))).toMatchObject({ isAnimated: false });
  expect(await glanceAt('/there/is/none')).toEqual(nothing);
});
