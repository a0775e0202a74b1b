/** A picture small enough to be part of a page. */
import type { Config } from '../../config.ts';
import { decode, thumbnail } from '../../reward/image/decode.ts';
import { readImage } from '../input/images.ts';

/** Pixels of the longer side. */
const SIDE = 120;

/** The image as WebP in base64; null when it cannot be shown. @param side pixels of the longer one */
export async function webpOf(
  path: string,
  { limits, background }: Config,
  side: number,
): Promise<string | null> {
  try {
    const pixels = await decode(await readImage(path, limits.maxImageBytes), { ...limits, background });
    return (await thumbnail(pixels, side)).toString('base64');
  } catch {
    return null;
  }
}

/** The image as a data URL of a few kilobytes; null when it cannot be shown. */
export async function smallPicture(path: string, config: Config): Promise<string | null> {
  const webp = await webpOf(path, config, SIDE);
  return webp && `data:image/webp;base64,${webp}`;
}
