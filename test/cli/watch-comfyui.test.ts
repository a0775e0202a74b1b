/** Watching a real ComfyUI through all that can happen to it. Needs COMFYUI_DIR; see test/support/comfyui/real.ts. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readScore } from '../../src/files/metadata/metadata.ts';
import { allPages, openedStore, until } from '../store/helpers.ts';
import { freshColour } from '../support/comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from '../support/comfyui/real.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import { startProxy } from '../support/proxy.ts';
import { startWatch } from '../support/watching.ts';

const CLIENTS = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
/** Images a prompt. */
const BATCH = 10;

/** A batch of images, no two alike, that no cache answers. */
const noisy = (seed: number, prefix: string) => ({
  '1': {
    class_type: 'EmptyImage',
    inputs: { width: 64, height: 64, batch_size: BATCH, color: freshColour() },
  },
  '2': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed, strength: 0.3 } },
  '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: prefix } },
});

async function submit(url: string, client: string, seed: number): Promise<void> {
  const body = JSON.stringify({ prompt: noisy(seed, `of-${client[0]}/image`), client_id: client });
  const answer = await fetch(`${url}/prompt`, { method: 'POST', body, signal: AbortSignal.timeout(10_000) });
  expect(answer.status).toBe(200);
}

/** Resolves when nothing waits and nothing runs. */
async function drained(url: string): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    const answer = await fetch(`${url}/prompt`, { signal: AbortSignal.timeout(10_000) });
    const { exec_info } = (await answer.json()) as { exec_info: { queue_remaining: number } };
    if (exec_info.queue_remaining === 0) return;
    if (Date.now() > end) throw new Error('the queue is not empty within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.skipIf(!hasReal)(`on a real ComfyUI${hasReal ? '' : ' (skipped: COMFYUI_DIR is not set)'}`, () => {
  it('every image is scored once, whatever is cut, killed or restarted', {
    timeout: 300_000 + START_MS,
  }, async () => {
    const comfy = await startReal();
    onTestFinished(() => comfy.stop());
    const proxy = await startProxy(comfy.url);
    const folder = tempFolder();
    const [dataDir, models, policy] = ['data', 'models', 'policy.json'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeModel(models);
    writeFileSync(policy, JSON.stringify({ actions: { accept: 'tag', unsure: 'tag', reject: 'tag' } }));
    const own = ['--data-dir', dataDir, '--models', models, '--scorer', 'test-bright', '--threads', '1'];
    const start = () =>
      startWatch(['--comfyui', proxy.url, '--output-dir', comfy.outputDir, '--policy', policy, ...own]);
    const images = () =>
      readdirSync(comfy.outputDir, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.png'));

    let watching = start();
    await until('it watches', () => watching.stderr().includes('watching'), 20_000);
    const { store } = openedStore(dataDir);
    const verdicts = () => allPages(store).map((e) => e.result);
    const scored = (count: number) =>
      until(`${count} verdicts`, () => verdicts().length >= count, 60_000).catch((error) => {
        throw new Error(`${error.message}: ${verdicts().length}\n${watching.stderr()}`);
      });
    let seed = 1;
    const submitTen = async () => {
      for (let i = 0; i < 10; i++) await submit(comfy.url, CLIENTS[i % 2]!, seed++);
    };

    await submitTen();
    for (const count of [15, 40]) {
      await scored(count);
      proxy.cut();
    }
    await scored(60);
    await watching.kill();
    await drained(comfy.url);
    expect(images()).toHaveLength(100);
    // What was not scored by now lies in the folder alone.
    await comfy.restart();
    expect(verdicts().length).toBeLessThan(100);

    watching = start();
    await submitTen();
    await scored(110);
    proxy.cut();
    await scored(130);
    await watching.kill();
    watching = start();
    for (const count of [150, 170]) {
      await scored(count);
      proxy.cut();
    }
    await drained(comfy.url);
    await scored(200);
    expect(await watching.stop()).toBe(0);
    expect(watching.stderr()).toMatch(/reconnect/);

    expect(images()).toHaveLength(200);
    expect(
      verdicts()
        .map((r) => r.source!)
        .toSorted(),
    ).toEqual(images().toSorted());
    expect(new Set(verdicts().map((r) => r.sha256)).size).toBe(200);
    expect(verdicts().filter((r) => r.error)).toEqual([]);
    const untagged = images().filter((name) => readScore(readFileSync(join(comfy.outputDir, name))) === null);
    expect(untagged).toEqual([]);
    // And a last look finds nothing more to do.
    const last = startWatch(['--once', '--comfyui', proxy.url, ...own, '--output-dir', comfy.outputDir]);
    expect([await last.ended, last.lines]).toEqual([0, []]);
  });

  it('savers that tell nothing, or in their own way, are found; masks and what moves are left alone', {
    timeout: 120_000 + START_MS,
  }, async () => {
    const comfy = await startReal({ packs: [TEST_PACK] });
    onTestFinished(() => comfy.stop());
    const folder = tempFolder();
    writeModel(join(folder, 'models'));
    const own = [
      '--data-dir',
      join(folder, 'data'),
      '--models',
      join(folder, 'models'),
      '--scorer',
      'test-bright',
    ];
    const watching = startWatch(['--comfyui', comfy.url, '--output-dir', comfy.outputDir, ...own]);
    await until('it watches', () => watching.stderr().includes('watching'), 20_000);
    const one = noisy(1, 'told');
    one['1'].inputs.batch_size = 1;
    const post = async (prompt: object) => {
      const body = JSON.stringify({ prompt });
      const answer = await fetch(`${comfy.url}/prompt`, {
        ...{ method: 'POST', body, signal: AbortSignal.timeout(10_000) },
      });
      expect(answer.status).toBe(200);
    };
    // Files from before it began to watch are none of its business.
    await post(one);
    await until('the first image', () => watching.lines.length === 1, 20_000);
    await post({
      ...one,
      silent: { class_type: 'AssayTestSave', inputs: { image: ['2', 0], name: 'silent.png', key: '' } },
      odd: { class_type: 'AssayTestSave', inputs: { image: ['2', 0], name: 'odd.png', key: 'gifs' } },
      mask: { class_type: 'ImageToMask', inputs: { image: ['2', 0], channel: 'red' } },
      seen: { class_type: 'MaskToImage', inputs: { mask: ['mask', 0] } },
      saved: { class_type: 'SaveImage', inputs: { images: ['seen', 0], filename_prefix: 'mask' } },
      turned: { class_type: 'ImageFlip', inputs: { image: ['2', 0], flip_method: 'x-axis: vertically' } },
      frames: { class_type: 'ImageBatch', inputs: { image1: ['2', 0], image2: ['turned', 0] } },
      moving: {
        class_type: 'SaveAnimatedWEBP',
        inputs: {
          images: ['frames', 0],
          ...{ filename_prefix: 'moving', fps: 6, lossless: true, quality: 80, method: 'default' },
        },
      },
    });
    await until('the others', () => watching.lines.length === 3, 60_000);
    await watching.stop();
    expect(watching.lines.map((line) => line.name).toSorted()).toEqual([
      'odd.png',
      'silent.png',
      'told_00001_.png',
    ]);
    expect(watching.stderr()).toContain('left alone: mask_00001_.png: a mask');
    expect(watching.stderr()).toMatch(/left alone: moving_\d+_\.webp: animated/);
  });
});
