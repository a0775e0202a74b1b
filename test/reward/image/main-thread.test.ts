/** However large an image is, the main thread is never busy with it for long: others wait behind it. */
import sharp from 'sharp';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config.ts';
import { Pipeline } from '../../../src/pipeline.ts';
import { openCatalog } from '../../../src/reward/model/catalog.ts';
import type { ImageInput } from '../../../src/types/image.ts';
import { tempFolder } from '../../support/files.ts';
import { writeModel } from '../../support/models.ts';

const SIDE = 8000;
/** Of the processor's time: what other programs take does not count. */
const MOST_MS = 50;

/** From now on, the longest time that the thread worked without a break. */
function watchBlocks(): () => number {
  let longest = 0;
  let last = process.threadCpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last);
    last = process.threadCpuUsage();
    longest = Math.max(longest, (user + system) / 1000);
  }, 1);
  onTestFinished(() => clearInterval(timer));
  return () => longest;
}

const create = { width: SIDE, height: SIDE, channels: 3 as const, background: '#000000' };
const black = await sharp({ create }).png().toBuffer();
const grey = await sharp({ create }).toColourspace('b-w').png().toBuffer();
const encoded = (bytes: Uint8Array): ImageInput => ({ kind: 'encoded', bytes });
const raw = (format: 'rgb8' | 'rgba8', channels: number): ImageInput => {
  const size = { width: SIDE, height: SIDE };
  return { kind: 'raw', format, ...size, bytes: new Uint8Array(SIDE * SIDE * channels).fill(7) };
};

async function open() {
  const parent = tempFolder();
  writeModel(parent);
  writeModel(parent, { id: 'test-exact', edit: (m) => Object.assign(m.image, { kernel: 'pillow-linear' }) });
  const config = loadConfig({ scorer: 'test-bright', dataDir: parent }, undefined, {});
  const catalog = openCatalog({ ...config, modelDirs: [parent], defaultId: 'test-bright' });
  onTestFinished(() => catalog.close());
  await Promise.all(['test-bright', 'test-exact'].map((name) => catalog.open(name)));
  const pipeline = new Pipeline(catalog, config);
  const { signal } = new AbortController();
  return (scorer: string, images: ImageInput[]) => {
    const items = images.map((image, i) => ({
      id: String(i),
      source: null,
      prompt: null,
      fetch: () => image,
    }));
    return pipeline.score({ items, scorer, client: 'test', signal });
  };
}

it.each<[string, string, () => ImageInput[]]>([
  [
    'PNGs that are black',
    'test-bright',
    () => Array.from({ length: 6 }, (_, i) => encoded(Buffer.concat([black, Buffer.from([i])]))),
  ],
  ['a grey PNG', 'test-bright', () => [encoded(grey)]],
  ['raw pixels', 'test-bright', () => [raw('rgb8', 3)]],
  ['raw pixels with alpha', 'test-bright', () => [raw('rgba8', 4)]],
  ['raw pixels that a thread resizes', 'test-exact', () => [raw('rgb8', 3)]],
])(
  '64 megapixels: %s',
  async (_, scorer, images) => {
    const score = await open();
    const given = images();
    const longest = watchBlocks();
    const results = await score(scorer, given);
    expect(longest()).toBeLessThan(MOST_MS);
    for (const { guards, error } of results) expect([error, guards[0]!.guard]).toEqual([null, 'blank']);
  },
  60_000,
);
