/** Images as they arrive and as pixels. */

/** File name endings of the formats that are looked for, best first where a name fits several files. */
export const IMAGE_EXTENSIONS = [
  ...['.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.jif', '.mpo', '.webp', '.avif', '.avifs', '.gif'],
  ...['.tif', '.tiff', '.bmp', '.dib'],
  // decoded where the build of libvips can, else named
  ...['.heic', '.heif', '.jxl'],
];

/** An image as it arrived: encoded bytes of a file, or raw interleaved 8-bit pixels, row by row. */
export type ImageInput =
  | { kind: 'encoded'; bytes: Uint8Array }
  | { kind: 'raw'; format: 'rgb8' | 'rgba8'; width: number; height: number; bytes: Uint8Array };

/** How colourful an image is. */
export interface Colour {
  /** Mean of its pixels, 0..1. */
  saturation: number;
  /** 0 is grey, 60 and more is vivid. */
  colourfulness: number;
}

/** Decoded pixels: interleaved RGB, 3 bytes a pixel, row by row, `width * height * 3` bytes. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
  /** What the pixels are known by: equal keys, equal pixels. When absent, they are hashed where one is needed. */
  key?: string;
}
