/** `assay watch` on a host that keeps no history: its output folder is the truth. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { allPages, openedStore, until } from '../store/helpers.ts';
import { type FakeWebui, startFake } from '../support/a1111/fake.ts';
import { infotextOf, pictureOf } from '../support/a1111/pictures.ts';
import { REALS, START_MS } from '../support/a1111/real.ts';
import { pictures } from '../support/a1111/requests.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import { startWatch } from '../support/watching.ts';

const ABOUT = {
  ...{ prompt: 'a (red:1.2) fox, <lora:snow:0.8>', negative: 'blurry', seed: 7, subseed: 0, strength: 0 },
  ...{ steps: 20, width: 64, height: 64, count: 1 },
};

async function site(changes: Parameters<typeof startFake>[0] = {}) {
  const webui = await startFake(changes);
  onTestFinished(() => webui.stop());
  const folder = tempFolder();
  const models = join(folder, 'models');
  writeModel(models);
  const dataDir = join(folder, 'data');
  const own = ['--data-dir', dataDir, '--models', models, '--scorer', 'test-bright', '--threads', '1'];
  const args = ['--a1111', webui.url, ...own];
  let store: Store | undefined;
  const history = () => {
    store ??= openedStore(dataDir).store;
    return allPages(store).map((e) => e.result.source!);
  };
  const samples = join(webui.outputDir, 'txt2img-images', '2026-01-01');
  return { webui, folder, args, own, history, samples };
}

/** A picture by plain HTTP, saved by the host. Null when the host is gone. */
const makeOne = ({ url }: FakeWebui, seed: number): Promise<Response | null> =>
  fetch(`${url}/sdapi/v1/txt2img`, {
    method: 'POST',
    body: JSON.stringify({ ...pictures({ seed }), save_images: true }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => null);

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'));

describe('assay watch on a host without a history', () => {
  it('finds its folder, and scores what appears there, with the prompt in the file', async () => {
    const { webui, args, samples } = await site();
    const watching = startWatch(args);
    await until('it watches', () => watching.stderr().includes('watching Forge'));
    await makeOne(webui, 5);
    await until('the first', () => watching.lines.length === 1);
    expect(watching.lines[0]).toMatchObject({
      name: expect.stringMatching(/^txt2img-images\/2026-01-01\/\d+-00000-5\.png$/),
      verdict: 'accept',
      prompt: 'a fox in the snow',
    });
    writeFileSync(join(samples, 'by-hand.png'), await pictureOf(ABOUT, true));
    await makeOne(webui, 6);
    await until('the others', () => watching.lines.length === 3);
    expect(watching.lines.find(({ name }) => name.endsWith('by-hand.png'))?.prompt).toBe('a red fox');
    expect(await watching.stop()).toBe(0);
  });

  it('leaves grids, masks, videos, what moves and what is not finished, and says so once', async () => {
    const { webui, args, samples } = await site();
    const watching = startWatch(args);
    await until('it watches', () => watching.stderr().includes('watching'));
    const picture = await pictureOf(ABOUT, true);
    const grids = join(webui.outputDir, 'txt2img-grids', '2026-01-01');
    mkdirSync(grids, { recursive: true });
    writeFileSync(join(grids, 'any.png'), picture);
    for (const name of ['grid-0001.png', '00001-7-mask.png', 'clip.mp4'])
      writeFileSync(join(samples, name), picture);
    const stills = await Promise.all([1, 2].map((seed) => pictureOf({ ...ABOUT, seed }, false)));
    const frames = await sharp(stills, { join: { animated: true } })
      .webp()
      .toBuffer();
    writeFileSync(join(samples, 'moving.webp'), frames);
    writeFileSync(join(samples, 'half.png'), picture.subarray(0, picture.length / 2));
    await makeOne(webui, 1);
    await until('the picture', () => watching.lines.length === 1);
    await makeOne(webui, 2);
    await until('the next one', () => watching.lines.length === 2);
    await watching.stop();
    const told = watching.stderr();
    expect(told).toMatch(/left alone: txt2img-grids\/2026-01-01\/any\.png: a grid\n/);
    expect(told).toMatch(/grid-0001\.png: a grid\n/);
    expect(told).toMatch(/-mask\.png: a mask\n/);
    expect(told).toMatch(/clip\.mp4: a video\n/);
    expect(told).toMatch(/moving\.webp: animated\n/);
    expect(told).toContain('2 left alone: a grid, 1 left alone: a mask');
    expect(watching.lines.every(({ name }) => !name.includes('half'))).toBe(true);
  });

  it('reads the prompt of JPEG and WebP alike', async () => {
    const { args, samples, webui } = await site();
    const text = infotextOf(ABOUT);
    const exif = { IFD0: {}, IFD2: { UserComment: text } };
    const image = () =>
      sharp(Buffer.alloc(64 * 64 * 3, 120), { raw: { width: 64, height: 64, channels: 3 } });
    writeFileSync(join(samples, 'a.jpg'), await image().withExif(exif).jpeg().toBuffer());
    writeFileSync(join(samples, 'b.webp'), await image().withExif(exif).webp({ lossless: true }).toBuffer());
    const { code, stdout, stderr } = await assay([
      ...['watch', '--once', '--format', 'jsonl', ...args, '--output-dir', webui.outputDir],
    ]);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { prompt: string });
    expect(lines.map(({ prompt }) => prompt)).toEqual(['a red fox', 'a red fox']);
  });

  it('scores each file once, whatever is killed and restarted', { timeout: 60_000 }, async () => {
    const { webui, args, history } = await site();
    const scored = (count: number) => until(`${count} scored`, () => history().length >= count, 20_000);
    let watching = startWatch(args);
    await until('it watches', () => watching.stderr().includes('watching'));
    let seed = 1000;
    const makeTen = async () => {
      for (let i = 0; i < 10; i++) {
        seed += 7;
        await makeOne(webui, seed);
      }
    };
    await makeTen();
    await scored(3);
    await watching.kill();
    await webui.restart();
    await makeTen();
    watching = startWatch(args);
    await scored(14);
    await watching.kill();
    watching = startWatch(args);
    const more = makeTen();
    await webui.restart();
    await more;
    await expect
      .poll(() => history().toSorted(), { timeout: 20_000, interval: 200 })
      .toEqual(filesIn(webui.outputDir).toSorted());
    expect(await watching.stop()).toBe(0);
    const files = filesIn(webui.outputDir);
    expect(files.length).toBeGreaterThan(20);
    expect(history().toSorted()).toEqual(files.toSorted());
    // And a last look finds nothing more to do.
    const last = await assay(['watch', '--once', '--format', 'jsonl', ...args]);
    expect([last.code, last.stdout]).toEqual([0, '']);
  });

  it('moves what the policy rejects, and brings it back', async () => {
    const { webui, args, own, folder, samples } = await site();
    const policy = join(folder, 'policy.json');
    writeFileSync(
      policy,
      JSON.stringify({ aspects: { quality: { minScore: 5 } }, actions: { reject: 'move' } }),
    );
    await makeOne(webui, 3);
    const [name] = readdirSync(samples);
    const before = readFileSync(join(samples, name!));
    const { code, stdout } = await assay([
      'watch',
      '--once',
      '--format',
      'jsonl',
      ...args,
      '--policy',
      policy,
    ]);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ verdict: 'reject', actionState: 'done' }),
    ]);
    expect(readdirSync(samples)).toEqual([]);
    const data = own.slice(0, 2);
    const listed = await assay(['rejects', 'list', '--format', 'json', ...data]);
    const [rejected] = (JSON.parse(listed.stdout) as { rejects: { id: string }[] }).rejects;
    expect((await assay(['rejects', 'restore', rejected!.id, ...data])).code).toBe(0);
    expect(readdirSync(samples)).toEqual([name]);
    expect(readFileSync(join(samples, name!)).length).toBeGreaterThan(before.length);
    const again = await assay(['watch', '--once', '--format', 'jsonl', ...args, '--policy', policy]);
    expect([again.code, again.stdout]).toEqual([0, '']);
  });
});

describe('the output folder', () => {
  it.each([
    ['is not told', { options: {} }, /the output folder of http\S+ is not known, .*: it does not tell it/],
    [
      'is told relative to nothing',
      { flags: { data_dir: '' } },
      /it says outputs\/txt2img-images, .* does not tell/,
    ],
    [
      'is not here',
      { flags: { data_dir: '/app/webui' } },
      /it says \/app\/webui\/outputs, which is not there/,
    ],
    [
      'is in several places',
      { options: { outdir_txt2img_samples: '/a/b/c', outdir_img2img_samples: '/d/e' } },
      /its images go to several places: \/a\/b\/c, \/d\/e/,
    ],
  ])('that %s is asked for', async (_what, changes, message) => {
    const { args } = await site(changes);
    const { code, stderr } = await assay(['watch', '--once', ...args]);
    expect(stderr).toMatch(message);
    expect(stderr).toContain('[OUTPUT_DIR_UNKNOWN]');
    expect(code).toBe(2);
  });

  it('is found by where the host was started, when it fails to tell its flags', async () => {
    const { webui, args } = await site({ flags: null });
    webui.settings.sysinfo = { 'Script path': webui.baseDir };
    await makeOne(webui, 1);
    const { code, stdout, stderr } = await assay(['watch', '--once', '--format', 'jsonl', ...args]);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(JSON.parse(stdout).name).toContain('txt2img-images/');
  });

  it('that is given and is not the host’s is named', async () => {
    const { args } = await site();
    const elsewhere = tempFolder();
    copyFileSync(new URL(import.meta.url), join(elsewhere, 'no-image.ts'));
    const watching = startWatch([...args, '--output-dir', elsewhere]);
    await until('it is told', () => watching.stderr().includes('OUTPUT_DIR_OTHER'));
    expect(watching.stderr()).toContain(`does not write to ${elsewhere}`);
    await watching.stop();
  });
});

for (const real of REALS)
  describe.skipIf(!real.isThere)(
    `on a real ${real.title}${real.isThere ? '' : ` (skipped: ${real.variable} is not set)`}`,
    () => {
      it('scores each file that it saves once, across restarts of both', {
        timeout: 300_000 + 2 * START_MS,
      }, async () => {
        const webui = await real.start();
        onTestFinished(() => webui.stop());
        const folder = tempFolder();
        const [models, dataDir] = [join(folder, 'models'), join(folder, 'data')];
        writeModel(models);
        const own = ['--data-dir', dataDir, '--models', models, '--scorer', 'test-bright', '--threads', '1'];
        const args = ['--a1111', webui.url, ...own];
        // The folder is made with the first image.
        const make = async (seed: number, more = {}) => {
          const body = { ...pictures({ seed, steps: 2 }), save_images: true, ...more };
          const answer = await fetch(`${webui.url}/sdapi/v1/txt2img`, {
            ...{ method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(120_000) },
            headers: { 'content-type': 'application/json' },
          });
          expect(answer.status, webui.log().slice(-2000)).toBe(200);
          await answer.body?.cancel();
        };
        await make(1);
        let watching = startWatch(args);
        await until('it watches', () => watching.stderr().includes('watching'), 60_000);
        for (const seed of [10, 20]) await make(seed);
        await make(30, { batch_size: 2 });
        await until('four', () => watching.lines.length === 4, 60_000);
        expect(watching.lines.map(({ prompt }) => prompt)).toEqual(Array(4).fill('a fox in the snow'));
        await watching.kill();
        await make(40);
        await webui.restart();
        watching = startWatch(args);
        await make(50);
        await until('the other two', () => watching.lines.length === 2, 60_000);
        expect(await watching.stop()).toBe(0);
        const { store } = openedStore(dataDir);
        const names = allPages(store).map(({ result }) => result.source!);
        expect([names.length, new Set(names).size]).toEqual([6, 6]);
        expect(watching.stderr()).not.toContain('OUTPUT_DIR');
      });
    },
  );
