import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readScore } from '../../src/metadata/metadata.ts';
import { allPages, openedStore, until } from '../store/helpers.ts';
import { assay } from '../support/cli.ts';
import { startFake } from '../support/comfyui/fake.ts';
import { tempFolder } from '../support/files.ts';
import { flat, jpeg, picture, png, random, rgb } from '../support/images.ts';
import { writeModel } from '../support/models.ts';
import { startWatch } from '../support/watching.ts';

/** Pictures, each with bytes of its own; a dark one is of low quality to the test model. */
const pictureOf = (seed: number, brightness = 160): Promise<Buffer> => {
  const next = random(seed + 1);
  const [a, b] = [next() * 9, next() * 9];
  return png(
    rgb(64, 64, (x, y) => {
      const v = brightness + 60 * Math.sin(a + x / 9) * Math.cos(b + y / 7);
      return [v, v * 0.9, v * 0.8];
    }),
  );
};

/** A fake host and the folders of a user. */
async function site() {
  const folder = tempFolder();
  const comfy = await startFake();
  onTestFinished(() => comfy.stop());
  const models = join(folder, 'models');
  writeModel(models);
  const dataDir = join(folder, 'data');
  const own = ['--data-dir', dataDir, '--models', models, '--scorer', 'test-bright', '--threads', '1'];
  const args = ['--comfyui', comfy.url, ...own];
  const withOutputs = [...args, '--output-dir', comfy.outputDir];
  const policy = (content: object) => {
    const path = join(folder, 'policy.json');
    writeFileSync(path, JSON.stringify(content));
    return ['--policy', path];
  };
  /** What the history says, name by name. */
  const history = () => allPages(openedStore(dataDir).store).map((e) => e.result.source!);
  const count = () => history().length;
  return { folder, comfy, args, withOutputs, dataDir, policy, history, count };
}

const REJECT_DARK = { aspects: { quality: { minScore: 2 } } };

describe('assay watch', () => {
  it('scores what the host holds and what comes, and ends with 0 when told to', async () => {
    const { comfy, args, history } = await site();
    comfy.addRun({ images: [await pictureOf(1)] });
    const watching = startWatch(args);
    await until('the first', () => watching.lines.length === 1);
    expect(watching.stderr()).toContain(`0.3.64 at ${comfy.url}`);
    comfy.addRun({ images: [await pictureOf(2), await pictureOf(3)], status: 'error' });
    comfy.addRun({ images: [await pictureOf(4)], type: 'temp' });
    await until('all', () => watching.lines.length === 4);
    expect(await watching.stop()).toBe(0);
    expect(watching.stderr()).toContain('4 images scored, 0 failed');
    expect(watching.lines.every((line) => line.verdict === 'accept' && line.quality! > 0)).toBe(true);
    expect(history().toSorted()).toEqual(watching.lines.map((line) => line.name).toSorted());
    // By another name of this machine it is the same host.
    const { port } = new URL(comfy.url);
    const again = await assay(['watch', '--once', ...args, '--comfyui', `http://localhost:${port}`]);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        '0 images scored, 0 failed; 4 were scored before and are not judged again\n',
      ),
    });
  });

  it('prints lines for people', async () => {
    const { comfy, args, policy } = await site();
    comfy.addRun({ images: [await pictureOf(1, 40)] });
    const { code, stdout } = await assay(['watch', '--once', ...args, ...policy(REJECT_DARK)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^watching ComfyUI 0\.3\.64 at http\S+ \(scorer test-bright\); Ctrl-C stops it\n/i,
    );
    expect(stdout).toMatch(
      /\nComfyUI_00001_\.png {2}quality 0\.\d\d {2}\d+ % {2}reject {2}quality 0\.\d\d is below 2\.00 {2}no prompt: the workflow has no node 9\n$/,
    );
  });

  it('tells the prompt that was judged, or why it is not known', async () => {
    const { comfy, args } = await site();
    const graph = (text: unknown) => ({
      '3': { class_type: 'KSampler', inputs: { positive: ['6', 0] } },
      '5': { class_type: 'OllamaGenerate', inputs: { prompt: 'Write a prompt.' } },
      '6': { class_type: 'CLIPTextEncode', inputs: { text } },
      '8': { class_type: 'StrangeWords', inputs: { text: 'a blue fox' } },
      '9': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
    });
    comfy.addRun({ images: [await pictureOf(1)], graph: graph('a (red:1.2) fox') });
    comfy.addRun({ images: [await pictureOf(2)], graph: graph(['5', 0]) });
    comfy.addRun({ images: [await pictureOf(3)], graph: graph(['8', 0]) });
    const { stdout } = await assay(['watch', '--once', ...args]);
    expect(stdout).toMatch(/ComfyUI_00001_\.png .* “a red fox”\n/);
    expect(stdout).toMatch(
      /ComfyUI_00002_\.png .* no prompt: node 5 \(OllamaGenerate\): a language model writes its text\n/,
    );
    expect(stdout).toMatch(
      /ComfyUI_00003_\.png .* {2}prompt \(uncertain\): “a blue fox” – node 8 \(StrangeWords\) is not known, and may change the text\n/,
    );
  });

  it('ends with 3 when --once meets an image that fails; the others are scored', async () => {
    const { comfy, args, count } = await site();
    comfy.addRun({ images: [Buffer.from('no image'), await pictureOf(1)] });
    const gone = comfy.addRun({ images: [await pictureOf(2)] });
    rmSync(join(comfy.outputDir, gone.files[0]!.filename));
    const { code, stdout } = await assay(['watch', '--once', '--format', 'jsonl', ...args]);
    expect(code).toBe(3);
    const errors = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).error);
    expect(errors.toSorted()).toEqual(['IMAGE_GONE', 'IMAGE_UNSUPPORTED', null]);
    expect(count()).toBe(3);
    // Known by now: nothing is left to fail.
    expect((await assay(['watch', '--once', ...args])).code).toBe(0);
  });

  it('tags and moves by the policy, and puts back what it moved', async () => {
    const { comfy, withOutputs, policy, dataDir, count } = await site();
    comfy.addRun({ images: [await pictureOf(1), await pictureOf(2, 40)] });
    comfy.addRun({ images: [await jpeg(picture(64, 64))], prefix: 'deep/down' });
    const rules = policy({ ...REJECT_DARK, actions: { accept: 'tag', reject: 'move' } });
    const { code, stdout } = await assay(['watch', '--once', ...withOutputs, ...rules]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('moved to the reject bin')]);
    const [first, second] = ['ComfyUI_00001_.png', 'ComfyUI_00002_.png'].map((n) =>
      join(comfy.outputDir, n),
    ) as [string, string];
    expect(readScore(readFileSync(first))).toMatchObject({ decision: 'accept' });
    expect(existsSync(second)).toBe(false);

    const listed = JSON.parse(
      (await assay(['rejects', 'list', '--format', 'json', '--data-dir', dataDir])).stdout,
    );
    expect(listed.rejects).toHaveLength(1);
    expect(listed.rejects[0]).toMatchObject({
      original: second,
      reasons: [expect.stringMatching(/below 2\.00/)],
    });
    const watching = startWatch([...withOutputs, ...rules]);
    await until('it watches', () => watching.stderr().includes('watching'));
    const restored = await assay(['rejects', 'restore', '--all', '--data-dir', dataDir]);
    expect(restored).toMatchObject({ code: 0, stdout: `restored ${second}\n` });
    expect(readScore(readFileSync(second))).toMatchObject({ decision: 'reject' });
    comfy.addRun({ images: [await pictureOf(9)] });
    await until('the next', () => watching.lines.length === 1);
    await comfy.restart();
    await watching.stop();
    await assay(['watch', '--once', ...withOutputs, ...rules]);
    expect([count(), existsSync(second)]).toEqual([4, true]);
  });

  it.each([
    ['accept', { actions: { accept: 'move' } }, 'CONFIG_INVALID'],
    ['a typo', { minScoer: 1 }, 'CONFIG_INVALID'],
    ['no output folder', { actions: { reject: 'move' } }, 'OUTPUT_DIR_REQUIRED'],
  ])('refuses a policy at the start: %s', async (_, content, code) => {
    const { args, policy } = await site();
    const outcome = await assay(['watch', ...args, ...policy(content)]);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining(code) });
  });

  it('refuses an output folder that is missing, and a reject bin that cannot be written', async () => {
    const { folder, comfy, args, withOutputs, policy, dataDir } = await site();
    const missing = await assay(['watch', ...args, '--output-dir', join(folder, 'nowhere')]);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('OUTPUT_DIR_UNUSABLE') });
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'rejects'), 'in the way');
    const blocked = await assay(['watch', ...withOutputs, ...policy({ actions: { reject: 'move' } })]);
    expect(blocked).toMatchObject({ code: 2, stderr: expect.stringContaining('REJECT_BIN_UNUSABLE') });
    expect(comfy.seen).toEqual([]);
  });

  it('says so when nothing, or something else, is at the address', async () => {
    const { args } = await site();
    const other = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const at = (url: string) => assay(['watch', ...args, '--comfyui', url]);
    expect(await at(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('HOST_UNKNOWN'),
    });
    other.close();
    other.closeAllConnections();
    await until('it is closed', () => !other.listening);
    expect(await at(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('HOST_UNREACHABLE'),
    });
    expect(await at('127.0.0.1')).toMatchObject({ code: 2, stderr: expect.stringContaining('USAGE') });
  });

  it('needs a history', async () => {
    const { folder, args } = await site();
    const config = join(folder, 'config.json');
    writeFileSync(config, '{"history": false}');
    const outcome = await assay(['watch', ...args, '--config', config]);
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('STORE_UNAVAILABLE') });
  });
});

describe('whatever happens', () => {
  it('each image is in the history once', { timeout: 120_000 }, async () => {
    const { comfy, withOutputs, policy, dataDir } = await site();
    const rules = policy({ ...REJECT_DARK, actions: { accept: 'tag', reject: 'move' } });
    const start = () => startWatch([...withOutputs, ...rules]);
    const next = random(7);
    const made: string[] = [];
    const make = async (count: number, type: 'output' | 'temp' = 'output') => {
      const images = await Promise.all(
        Array.from({ length: count }, () => pictureOf(made.length + next() * 1e6, next() < 0.3 ? 40 : 160)),
      );
      const { files } = comfy.addRun({ images, type });
      if (type === 'output') made.push(...files.map((file) => file.filename));
    };
    await make(5);
    let watching = start();
    for (let round = 0; round < 6; round++) {
      await make(6);
      await make(2);
      if (round % 2 === 0) comfy.cut();
      const target = watching.lines.length + Math.floor(next() * 6);
      await until('some progress', () => watching.lines.length >= target, 20_000);
      if (round === 4) await comfy.restart();
      await make(3);
      if (round % 2 === 1) {
        await watching.kill();
        watching = start();
      }
    }
    const { store } = openedStore(dataDir);
    const verdicts = () => allPages(store).map((e) => e.result);
    await until('all are scored', () => verdicts().length >= made.length, 30_000).catch(() => {});
    expect(await watching.stop()).toBe(0);
    // Names are given anew once a file was moved, so the bytes tell the images apart.
    const bytes = verdicts().map((r) => r.sha256!);
    expect(bytes.length - new Set(bytes).size).toBe(0);
    expect(bytes).toHaveLength(made.length);
    const rejected = verdicts().filter((r) => r.decision === 'reject');
    const bin = JSON.parse(
      (await assay(['rejects', 'list', '--format', 'json', '--data-dir', dataDir])).stdout,
    );
    expect(bin.rejects.map((r: { result: { sha256: string } }) => r.result.sha256).toSorted()).toEqual(
      rejected.map((r) => r.sha256!).toSorted(),
    );
    const left = readdirSync(comfy.outputDir).filter((name) => name.endsWith('.png'));
    expect(left).toHaveLength(made.length - rejected.length);
    for (const name of left)
      expect(readScore(readFileSync(join(comfy.outputDir, name))), name).toMatchObject({
        decision: 'accept',
      });
  });
});

it('a flat image trips a guard and is moved with that reason', async () => {
  const { comfy, withOutputs, policy, dataDir } = await site();
  comfy.addRun({ images: [await png(flat([200, 200, 200]))] });
  await assay(['watch', '--once', ...withOutputs, ...policy({ actions: { reject: 'move' } })]);
  const { stdout } = await assay(['rejects', 'list', '--data-dir', dataDir]);
  expect(stdout).toMatch(/ComfyUI_00001_\.png.*blank/);
});
