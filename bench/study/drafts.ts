/**
 * Scores rated images and drafts of them: what a quarter of the steps would show, which is the same picture, coarser. Two
 * JSON lines an image, added to the file that is there, so that it goes on where it was stopped.
 *
 * npm run bench:drafts -- --data DIR --out F.jsonl [--prompts 60] [--scorer ID]
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { configOf } from '../../src/cli/open.ts';
import { readRatings } from '../../src/eval/ratings/ratings.ts';
import { openRuntime } from '../../src/runtime.ts';

/** Of a draft, and of the whole image: both by the same scorer, so that what the draft loses can be told. */
const EFFORTS = [0.25, 1];
/** As the test pack's AssayTestRated makes them. */
const COARSEST = 4;

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    prompts: { type: 'string', default: '60' },
    scorer: { type: 'string' },
  },
});
const { data, out, scorer } = flags;
if (data === undefined || out === undefined) throw new Error('name --data DIR and --out F.jsonl');

async function draftOf(path: string, effort: number): Promise<Buffer> {
  const image = sharp(path);
  const { width, height } = await image.metadata();
  const factor = COARSEST ** (1 - effort);
  const size = [Math.round(width / factor), Math.round(height / factor)] as const;
  const small = await image
    .resize(...size, { fit: 'fill' })
    .png()
    .toBuffer();
  return sharp(small).resize(width, height, { fit: 'fill', kernel: 'linear' }).png().toBuffer();
}

const rows = readRatings(join(data, 'ratings.csv')).rows;
const prompts = new Set([...new Set(rows.map(({ prompt }) => prompt))].slice(0, Number(flags.prompts)));
const lines = existsSync(out) ? readFileSync(out, 'utf8').split('\n').filter(Boolean) : [];
const keyOf = (name: string, effort: number) => `${effort} ${name}`;
const done = new Set(
  lines
    .map((line) => JSON.parse(line) as { name: string; effort: number })
    .map((d) => keyOf(d.name, d.effort)),
);
const config = configOf(scorer === undefined ? {} : { scorer });
const runtime = openRuntime({ config, unrecorded: 'a bench does not record' });
const { signal } = new AbortController();
/** Scores one draft. */
async function scoreDraft(name: string, prompt: string, effort: number): Promise<void> {
  const bytes = await draftOf(join(data!, 'images', name), effort);
  const fetch = () => ({ kind: 'encoded' as const, bytes });
  const items = [{ id: name, source: name, prompt, fetch }];
  const [result] = await runtime.score({ items, client: 'bench', signal });
  if (result!.error) throw new Error(`${name}: ${result!.error.message}`);
  const { aspects, reward } = result!;
  const values = { reward, quality: aspects!.quality?.score, alignment: aspects!.alignment?.score };
  appendFileSync(out!, `${JSON.stringify({ name, effort, values })}\n`);
}

// All images of one prompt, then those of the next: a prompt counts once all of its images are scored.
for (const { name, prompt } of rows.toSorted((a, b) => (a.prompt! < b.prompt! ? -1 : 1)))
  for (const effort of EFFORTS)
    if (prompts.has(prompt) && !done.has(keyOf(name, effort))) await scoreDraft(name, prompt!, effort);
await runtime.close();
