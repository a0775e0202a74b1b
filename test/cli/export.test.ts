/** `assay export` as its users run it: real files, read back as trainers read them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { beforeAll, expect, it } from 'vitest';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { flat, picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

/** A picture of that share of its brightness. */
function shade(share: number): Promise<Buffer> {
  const { data, width, height } = picture(64, 64);
  return png({ data: data.map((value) => Math.round(value * share)), width, height });
}

let shades: Record<string, Buffer>;
beforeAll(async () => {
  const values = { dark: 0.4, dim: 0.6, fair: 0.61, light: 1 };
  const made = Object.entries(values).map(
    async ([name, value]) => [`${name}.png`, await shade(value)] as const,
  );
  shades = Object.fromEntries(await Promise.all(made));
  shades['blank.png'] = await png(flat([9, 9, 9]));
});

const PROMPTS =
  'name,prompt\ndark.png,a cat\nlight.png,a cat\ndim.png,a cat\nfair.png,"a ""dog"", ünïcode"\n';

function setUp(files: Record<string, Uint8Array | string> = {}, prompts = PROMPTS, config: object = {}) {
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  mkdirSync(join(folder, 'images'));
  for (const [name, bytes] of Object.entries({ ...shades, ...files }))
    writeFileSync(join(folder, 'images', name), bytes);
  writeFileSync(join(folder, 'prompts.csv'), prompts);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const at = (name: string) => join(folder, name);
  const flags = [
    '--models',
    at('models'),
    '--scorer',
    'test-bright',
    '--data-dir',
    at('data'),
    '--config',
    at('config.json'),
  ];
  const run = (what: string, ...args: string[]) =>
    assay(['export', what, at('images'), '--prompts', at('prompts.csv'), ...args, ...flags]);
  return { at, run };
}

// biome-ignore lint/suspicious/noExplicitAny: rows are asserted on, not used
type Row = Record<string, any>;
const linesOf = (path: string): Row[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const rowsOf = async (path: string): Promise<Row[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(path), utf8: false });

const better = ({ image_0, image_1, label_0 }: Row): string[] =>
  (label_0 === 1 ? [image_0, image_1] : [image_1, image_0]).map((path: string) => path.split('/').at(-1)!);

it('pairs the best with the worst of each prompt, and says what it left out', async () => {
  const { at, run } = setUp();
  const { code, stderr } = await run('pairs', '--out', at('pairs.jsonl'));
  expect([code, stderr.includes('1 pair of 2 prompts')]).toEqual([0, true]);
  expect(stderr).toMatch(/no reward for 1 image: \S+blank\.png \(blank: all pixels/);
  expect(stderr).toMatch(/scored by test-bright 1\.0\.0, sha256:/);
  const [row, ...others] = linesOf(at('pairs.jsonl'));
  expect([others, row!.caption, row!.by, row!.label_0 + row!.label_1]).toEqual([[], 'a cat', 'reward', 1]);
  expect(better(row!)).toEqual(['light.png', 'dark.png']);
  expect(Math.abs(row!.reward_0 - row!.reward_1)).toBeGreaterThan(0.2);
});

it('writes Parquet with the five columns of preference training, and the bytes of the files', async () => {
  const { at, run } = setUp();
  expect((await run('pairs', '--pairs', 'all', '--out', at('pairs.parquet'))).code).toBe(0);
  const rows = await rowsOf(at('pairs.parquet'));
  expect(rows.map((row) => Object.keys(row))).toEqual(
    Array(3).fill(['caption', 'jpg_0', 'jpg_1', 'label_0', 'label_1']),
  );
  const nameOf = (bytes: Uint8Array) => Object.entries(shades).find(([, file]) => file.equals(bytes))![0];
  const wins = rows.map(({ jpg_0, jpg_1, label_0 }) =>
    (label_0 === 1 ? [jpg_0, jpg_1] : [jpg_1, jpg_0]).map(nameOf),
  );
  expect(wins).toEqual([
    ['light.png', 'dim.png'],
    ['light.png', 'dark.png'],
    ['dim.png', 'dark.png'],
  ]);
  expect(rows.map(({ label_0, label_1 }) => label_0 + label_1)).toEqual([1, 1, 1]);
});

it('takes what is nearer than the margin for a tie, which is left out or kept', async () => {
  const same = PROMPTS.replace('a cat\ndim.png,a cat', 'a cat\ndim.png,"a ""dog"", ünïcode"');
  const { at, run } = setUp({}, same);
  const { stderr } = await run('pairs', '--margin', '0.2', '--out', at('pairs.jsonl'));
  expect(stderr).toContain('1 tie left out (nearer than --margin 0.2, or equal)');
  expect(linesOf(at('pairs.jsonl')).map(({ caption }) => caption)).toEqual(['a cat']);
  await run('pairs', '--margin', '0.2', '--keep-ties', '--out', at('pairs2.jsonl'));
  expect(linesOf(at('pairs2.jsonl')).map((row) => [row.caption, row.label_0, row.label_1].join())).toContain(
    'a "dog", ünïcode,0.5,0.5',
  );
});

it('lets ratings decide where all images of a prompt have one', async () => {
  const { at, run } = setUp();
  const prompts = 'name,prompt\ndark.png,a cat\nlight.png,a cat\ndim.png,a dog\nfair.png,a dog\n';
  writeFileSync(at('prompts.csv'), prompts);
  writeFileSync(at('mos.csv'), 'name,mos_quality\ndark.png,4.5\nlight.png,1\ndim.png,5\n');
  expect((await run('pairs', '--ratings', at('mos.csv'), '--out', at('pairs.jsonl'))).code).toBe(0);
  expect(linesOf(at('pairs.jsonl')).map((row) => [row.by, ...better(row)])).toEqual([
    ['rating', 'dark.png', 'light.png'],
    ['reward', 'fair.png', 'dim.png'],
  ]);
});

it('writes one row an image with its reward by a profile, and its components', async () => {
  const terms = [{ name: 'bright', aspect: 'quality', scale: 'score', weight: 2 }];
  const { at, run } = setUp({}, PROMPTS, { rewards: { profiles: { twice: { terms } } } });
  expect((await run('rewards', '--profile', 'twice', '--out', at('rewards.parquet'))).code).toBe(0);
  const rows = await rowsOf(at('rewards.parquet'));
  expect(Object.keys(rows[0]!)).toEqual([
    'image_path',
    'jpg',
    'caption',
    'sha256',
    'reward',
    'component_bright',
  ]);
  expect(rows.map(({ reward, component_bright }) => reward === 2 * component_bright)).toEqual(
    Array(4).fill(true),
  );
  await run('rewards', '--profile', 'twice', '--out', at('rewards.jsonl'));
  const lines = linesOf(at('rewards.jsonl'));
  expect(lines.map(({ reward }) => reward)).toEqual(rows.map(({ reward }) => reward));
  expect(lines.map(({ image_path }) => image_path.split('/').at(-1))).toEqual([
    'dark.png',
    'dim.png',
    'fair.png',
    'light.png',
  ]);
});

it('scores what it can and exits 3 when an image fails', async () => {
  const { at, run } = setUp({ 'broken.png': 'hello' });
  const { code, stderr } = await run('rewards', '--out', at('rewards.jsonl'));
  expect([code, linesOf(at('rewards.jsonl')).length]).toEqual([3, 4]);
  expect(stderr).toMatch(/broken\.png \(IMAGE_UNSUPPORTED/);
});

it('names a folder that does not exist', async () => {
  const { at } = setUp();
  const flags = ['--models', at('models'), '--scorer', 'test-bright', '--data-dir', at('data')];
  const { code, stderr } = await assay(['export', 'pairs', at('nope'), '--out', at('pairs.jsonl'), ...flags]);
  expect([code, stderr]).toEqual([3, expect.stringContaining('no such file or folder')]);
});

it.each([
  [['--out', 'pairs.csv'], 'ends in .parquet or .jsonl'],
  [['--out', 'pairs.jsonl', '--margin', 'x'], 'a number, 0 or more'],
  [['--out', 'pairs.jsonl', '--pairs', 'some'], 'best-worst, all'],
  [['--out', 'pairs.jsonl', '--profile', 'mine'], 'UNKNOWN_PROFILE'],
  [[], '--out'],
])('refuses %j', async (args, words) => {
  const { at, run } = setUp();
  const placed = args.map((arg) => (arg.startsWith('pairs.') ? at(arg) : arg));
  const { code, stderr } = await run('pairs', ...placed);
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  expect(existsSync(at('pairs.jsonl'))).toBe(false);
});

it('leaves a file alone that it did not write', async () => {
  const { at, run } = setUp();
  writeFileSync(at('mine.parquet'), 'mine');
  expect((await run('pairs', '--out', at('mine.parquet'))).code).toBe(2);
  expect(readFileSync(at('mine.parquet'), 'utf8')).toBe('mine');
  expect((await run('pairs', '--out', at('mine.parquet'), '--force')).code).toBe(0);
});

const python = process.env.ASSAY_PYTHON ?? 'python3';
const has = (module: string): boolean => {
  try {
    execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

it.skipIf(!has('pyarrow'))('is read by pyarrow', async () => {
  const { at, run } = setUp();
  await run('pairs', '--pairs', 'all', '--out', at('pairs.parquet'));
  const script = `import json, sys, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1])
print(json.dumps([str(t.schema.types), t.column("caption").to_pylist(), [len(b) for b in t.column("jpg_0").to_pylist()]]))`;
  const [types, captions, sizes] = JSON.parse(
    execFileSync(python, ['-c', script, at('pairs.parquet')], { encoding: 'utf8' }),
  );
  expect(types).toContain('DataType(string)');
  expect(types.match(/DataType\(binary\)/g)).toHaveLength(2);
  expect(types.match(/DataType\(double\)/g)).toHaveLength(2);
  expect(captions).toEqual(Array(3).fill('a cat'));
  expect(sizes.every((size: number) => size > 100)).toBe(true);
});

it.skipIf(!has('datasets, PIL'))('is read by datasets, and its images by PIL', async () => {
  const { at, run } = setUp();
  await run('pairs', '--out', at('pairs.parquet'));
  const script = `import io, sys, datasets
from PIL import Image
row = datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])[0]
print(sorted(row), row["caption"], Image.open(io.BytesIO(row["jpg_0"])).size)`;
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: at('hf') };
  const said = execFileSync(python, ['-c', script, at('pairs.parquet'), at('hf')], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(said.trim()).toBe("['caption', 'jpg_0', 'jpg_1', 'label_0', 'label_1'] a cat (64, 64)");
});
