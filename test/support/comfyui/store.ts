/** Files and history of the fake host: real files in real folders, a history that dies with the host. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import sharp from 'sharp';
import type { Images, SavedFile } from './nodes.ts';

export interface HistoryEntry {
  prompt: [number, string, object, object, string[]];
  outputs: Record<string, Record<string, unknown[]>>;
  status: { status_str: string; completed: boolean; messages: [string, object][] };
  meta: object;
}

export interface Files {
  readonly outputDir: string;
  readonly tempDir: string;
  /** Writes under the next free number, as the real host names its files. */
  write(bytes: Uint8Array, type: 'output' | 'temp', prefix: string): SavedFile;
  save(images: Images, type: 'output' | 'temp', prefix: string): Promise<SavedFile[]>;
  /** Path of a file, or null when the name leads out of the folder. */
  path(type: string, subfolder: string, filename: string): string | null;
  clearTemp(): void;
}

export function createFiles(baseDir: string): Files {
  const folders: Record<string, string> = Object.fromEntries(
    ['output', 'temp', 'input'].map((name) => [name, join(baseDir, name)]),
  );
  for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true });
  const files: Files = {
    outputDir: folders.output!,
    tempDir: folders.temp!,
    write(bytes, type, prefix) {
      const subfolder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
      const folder = join(folders[type]!, subfolder);
      mkdirSync(folder, { recursive: true });
      const filename = freeName(folder, prefix.slice(prefix.lastIndexOf('/') + 1));
      writeFileSync(join(folder, filename), bytes);
      return { filename, subfolder, type };
    },
    async save(images, type, prefix) {
      const { count } = images;
      const bytes = await pictureOf(images).png().toBuffer();
      return Array.from({ length: count }, () => files.write(bytes, type, prefix));
    },
    path(type, subfolder, filename) {
      const path = normalize(join(folders[type]!, subfolder, filename));
      return path.startsWith(folders[type]!) ? path : null;
    },
    clearTemp() {
      rmSync(folders.temp!, { recursive: true, force: true });
      mkdirSync(folders.temp!);
    },
  };
  return files;
}

export function pictureOf({ width, height, color, seed, lift }: Images) {
  const background = { r: color >> 16, g: (color >> 8) & 255, b: color & 255 };
  const flat = sharp({ create: { width, height, channels: 3, background } });
  return seed === undefined ? flat : shaded(width, height, seed, lift);
}

/** A slope from dark to light whose brightness follows from the seed. */
function shaded(width: number, height: number, seed: number, lift = 0) {
  const middle = 64 + lift + (Math.imul(seed, 0x45d9_f3b) >>> 25);
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) =>
    Math.max(0, Math.min(255, middle - 48 + (96 * (at % (width * 3))) / (width * 3))),
  );
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function freeName(folder: string, prefix: string): string {
  let number = readdirSync(folder).length + 1;
  const name = () => `${prefix}_${String(number).padStart(5, '0')}_.png`;
  while (existsSync(join(folder, name()))) number++;
  return name();
}
