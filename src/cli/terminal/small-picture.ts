/** A picture small enough to be part of a page. */
import type { Config } from '../../config.ts';
import { decode, thumbnail } from '../../reward/image/decode.ts';
import { readImage } from '../input/images.ts';

/** Pixels of the longer side. */
const SIDE = 120;

/** The image as a data URL of a few kilobytes; null when it cannot be shown. */
export async function smallPicture(path: string, { limits, background }: Config): Promise<string | null> {
  try {
    const pixels = await decode(await readImage(path, limits.maxImageBytes), { ...limits, background });
    return `data:image/webp;base64,${(await thumbnail(pixels, SIDE)).toString('base64')}`;
  } catch {
    return null;
  }
}
