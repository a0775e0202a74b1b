/**
 * Scores rated images and drafts of them: what a quarter of the steps would show, which is the same picture, coarser; and,
 * where shares of the steps are named, previews: the same, coarser and noisier. A JSON line a picture, added to the file
 * that is there, so that it goes on where it was stopped.
 *
 * npm run bench:drafts -- --data DIR --out F.jsonl [--prompts 60] [--scorer ID] [--efforts 0.25,1] [--previews 0.3,0.5,0.7]
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { configOf } from '../../src/cli/open.ts';
import { readRatings } from '../../src/eval/ratings/ratings.ts';
import { randomFrom } from '../../src/lib/random.ts';
import { openRuntime } from '../../src/runtime.ts';

/** As the test pack's AssayTestRated makes them: factor and levels. */
const COARSEST = 4;
const NOISE = 60;

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    prompts: { type: 'string', default: '60' },
    scorer: { type: 'string' },
    efforts: { type: 'string', default: '0.25,1' },
    previews: { type: 'string', default: '' },
  },
});
const { data, out, scorer } = flags;
if (data === undefined || out === undefined) throw new Error('name --data DIR and --out F.jsonl');

const numbersIn = (list: string): number[] => list.split(',').filter(Boolean).map(Number);
/** Of drafts, and of the whole image: all by the same scorer, so that what a draft loses can be told. */
const efforts = numbersIn(flags.efforts);
const shares = numbersIn(flags.previews);

/** Numbers of a normal distribution with a standard deviation of 1. */
const BELL = Float32Array.from({ length: 2 ** 20 }, (_, i) => {
  const random = randomFrom(i);
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
});

async function previewOf(path: string, share: number): Promise<Buffer> {
  const { data, info } = await (await coarser(path, share))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const from = Math.floor(randomFrom(data.length + data[0]! + data.at(-1)! * share * 1000)() * BELL.length);
  const levels = NOISE * (1 - share) ** 2;
  for (let i = 0; i < data.length; i++)
    data[i] = Math.max(0, Math.min(255, data[i]! + levels * BELL[(from + i) % BELL.length]!));
  const { width, height } = info;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 95 })
    .toBuffer();
}

const draftOf = async (path: string, effort: number): Promise<Buffer> =>
  effort === 1 ? readFileSync(path) : (await coarser(path, effort)).png().toBuffer();

async function coarser(path: string, effort: number): Promise<Sharp> {
  const image = sharp(path);
  const { width, height } = await image.metadata();
  const factor = COARSEST ** (1 - effort);
  const size = [Math.round(width / factor), Math.round(height / factor)] as const;
  const { data, info } = await image
    .resize(...size, { fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: info }).resize(width, height, { fit: 'fill', kernel: 'linear' });
}

const rows = readRatings(join(data, 'ratings.csv')).rows;
const prompts = new Set([...new Set(rows.map(({ prompt }) => prompt))].slice(0, Number(flags.prompts)));
const lines = existsSync(out) ? readFileSync(out, 'utf8').split('\n').filter(Boolean) : [];
interface Line {
  name: string;
  /** Of a draft, or of the whole image. */
  effort?: number;
  /** Of a preview. */
  share?: number;
}
const keyOf = ({ name, effort, share }: Line) => `${effort} ${share} ${name}`;
const done = new Set(lines.map((line) => keyOf(JSON.parse(line) as Line)));
const config = configOf(scorer === undefined ? {} : { scorer });
const runtime = openRuntime({ config, unrecorded: 'a bench does not record' });
const { signal } = new AbortController();
/** Scores one picture. */
async function score(line: Line, prompt: string): Promise<void> {
  if (done.has(keyOf(line))) return;
  const path = join(data!, 'images', line.name);
  const bytes =
    line.share === undefined ? await draftOf(path, line.effort!) : await previewOf(path, line.share);
  const fetch = () => ({ kind: 'encoded' as const, bytes });
  const items = [{ id: line.name, source: line.name, prompt, fetch }];
  const [result] = await runtime.score({ items, client: 'bench', signal });
  if (result!.error) throw new Error(`${line.name}: ${result!.error.message}`);
  const { aspects, reward } = result!;
  const values = { reward, quality: aspects!.quality?.score, alignment: aspects!.alignment?.score };
  appendFileSync(out!, `${JSON.stringify({ ...line, values })}\n`);
}

// All images of one prompt, then those of the next: a prompt counts once all of its images are scored.
for (const { name, prompt } of rows.toSorted((a, b) => (a.prompt! < b.prompt! ? -1 : 1))) {
  if (!prompts.has(prompt)) continue;
  await Promise.all([
    ...efforts.map((effort) => score({ name, effort }, prompt!)),
    ...shares.map((share) => score({ name, share }, prompt!)),
  ]);
}
await runtime.close();
