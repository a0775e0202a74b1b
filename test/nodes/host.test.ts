/** The nodes inside a real ComfyUI, against a real daemon, with workflows that need no checkpoint. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Served, serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import type { TestHost } from '../support/test-host.ts';
import { comfyui, noComfyui } from './comfyui.ts';
import { call, ended, pixels, run, saved, submit, until } from './drive.ts';
import { type Graph, gate, noisy, save } from './graphs.ts';

if (noComfyui) process.stdout.write(`the nodes are not tried inside ComfyUI: ${noComfyui}\n`);

/** Waits until ComfyUI says that a node has begun. */
async function begun(
  host: TestHost,
  client: string,
  node: string,
  start: () => Promise<string>,
): Promise<string> {
  const socket = new WebSocket(`${host.url.replace('http', 'ws')}/ws?clientId=${client}`);
  onTestFinished(() => socket.close());
  let hasBegun = false;
  socket.addEventListener('message', ({ data }) => {
    const message = typeof data === 'string' ? JSON.parse(data) : {};
    hasBegun ||= message.type === 'executing' && message.data.node === node;
  });
  await once(socket, 'open');
  const id = await start();
  await until(`the start of ${node}`, async () => hasBegun || undefined);
  return id;
}

async function setUp(): Promise<{ host: TestHost; daemon: Served; restart: () => Promise<Served> }> {
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  const args = ['--data-dir', folder, '--models', join(folder, 'models'), '--scorer', 'test-bright'];
  const daemon = await serve(args);
  const host = await comfyui({ daemon: daemon.url });
  return { host, daemon, restart: () => serve([...args, '--port', new URL(daemon.url).port]) };
}

const gated = (seed: number, changes: object = {}): Graph => ({
  ...noisy(8, seed),
  gate: gate({ measure: 'MOS', threshold: 2.5, ...changes }),
  good: save('gate', 0, 'good'),
  bad: save('gate', 1, 'bad'),
  all: save('images', 0, 'all'),
});

/** One picture of that grey and seed, put on a shelf: the brighter, the better. */
const shelved = (color: number, seed: number, size: number, changes: object = {}): Graph => ({
  grey: { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 1, color } },
  noise: { class_type: 'ImageAddNoise', inputs: { image: ['grey', 0], seed, strength: 0.15 } },
  images: {
    class_type: 'ImageScale',
    inputs: { image: ['noise', 0], upscale_method: 'bilinear', width: size, height: size, crop: 'disabled' },
  },
  mask: { class_type: 'ImageToMask', inputs: { image: ['images', 0], channel: 'red' } },
  latent: { class_type: 'EmptyLatentImage', inputs: { width: size, height: size, batch_size: 1 } },
  shelf: {
    class_type: 'AssayShelf',
    inputs: {
      ...{ images: ['images', 0], by: 'quality', k: 2, after: 0, reset: false, on_failure: 'pass' },
      ...{ masks: ['mask', 0], latents: ['latent', 0], name: 'night', ...changes },
    },
  },
  best: save('shelf', 0, 'best'),
  added: save('shelf', 6, 'added'),
  seeds: { class_type: 'PreviewAny', inputs: { source: ['shelf', 5] } },
  masked: { class_type: 'SetLatentNoiseMask', inputs: { samples: ['shelf', 2], mask: ['shelf', 1] } },
  latents: { class_type: 'SaveLatent', inputs: { samples: ['masked', 0], filename_prefix: 'latent' } },
});

const [DARK, MIDDLE, LIGHT] = [0x303030, 0x707070, 0xc0c0c0];

describe.skipIf(noComfyui)('inside ComfyUI', { timeout: 120_000 }, () => {
  it('the gate saves exactly what it accepts, and the queue goes on', async () => {
    const { host } = await setUp();
    const [first, second] = [await submit(host, gated(1)), await submit(host, gated(2))];
    const entries = [await ended(host, first), await ended(host, second)];
    expect(entries.map((entry) => entry.status.status_str)).toEqual(['success', 'success']);
    const labels = entries.flatMap((entry) => entry.outputs.gate!.assay!.map((verdict) => verdict.label));
    expect(labels).toHaveLength(16);
    const all = await Promise.all(saved(host, 'all').map((name) => pixels(host, name)));
    for (const [prefix, label] of Object.entries({ good: 'accepted', bad: 'rejected' })) {
      const files = await Promise.all(saved(host, prefix).map((name) => pixels(host, name)));
      expect(files.length).toBeGreaterThan(0);
      expect(files.map((file) => labels[all.findIndex((image) => image.equals(file))])).toEqual(
        labels.filter((l) => l === label),
      );
    }
  });

  it('a daemon that dies costs no image, and one that is back scores again', async () => {
    const { host, daemon, restart } = await setUp();
    const graph = gated(3);
    const scored = await run(host, graph);
    daemon.child.kill('SIGKILL');
    await until('its end', async () => daemon.child.signalCode ?? undefined);
    const passed = await run(host, gated(4));
    expect(passed.status.status_str).toBe('success');
    expect(passed.outputs.good!.images).toHaveLength(8);
    expect(passed.outputs.gate!.text!.join(' ')).toMatch(
      /8 passed unscored.*DAEMON_UNREACHABLE.*assay serve/,
    );
    expect((await run(host, gated(4, { on_failure: 'block' }))).outputs.good).toBeUndefined();
    const stopped = await run(host, gated(4, { on_failure: 'stop' }));
    expect(JSON.stringify(stopped.status.messages.at(-1))).toMatch(/DAEMON_UNREACHABLE/);
    await restart();
    expect((await run(host, gated(4))).outputs.gate!.text!.join(' ')).not.toMatch(/unscored/);
    const again = await run(host, graph);
    expect(again.outputs.gate!.assay).toEqual(scored.outputs.gate!.assay);
  });

  it('what was scored is reused until something changes', async () => {
    const { host } = await setUp();
    await run(host, gated(5));
    const before = saved(host, 'good').length;
    await run(host, gated(5));
    expect(saved(host, 'good')).toHaveLength(before);
  });

  it('an interrupt ends the wait for a daemon that does not answer', async () => {
    const { host, daemon } = await setUp();
    await run(host, gated(6));
    daemon.child.kill('SIGSTOP');
    onTestFinished(() => void daemon.child.kill('SIGCONT'));
    const client = randomUUID();
    const id = await begun(host, client, 'gate', () => submit(host, gated(7), client));
    const start = performance.now();
    await call(host, '/interrupt', {});
    const entry = await ended(host, id);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(entry.status.messages.at(-1)![0]).toBe('execution_interrupted');
    daemon.child.kill('SIGCONT');
    expect((await run(host, gated(8))).outputs.gate!.text!.join(' ')).not.toMatch(/unscored/);
  });

  it('the shelf keeps the best of all runs, of any size, also over a restart', async () => {
    const folder = tempFolder();
    writeModel(join(folder, 'models'));
    const model = ['--models', join(folder, 'models'), '--scorer', 'test-bright'];
    const host = await comfyui({ daemon: (await serve(['--data-dir', folder, ...model])).url });
    const counts = () => ['best', 'added'].map((prefix) => saved(host, prefix).length);
    const told = (entry: Awaited<ReturnType<typeof run>>) => entry.outputs.shelf!.text!.join('\n');

    expect(told(await run(host, shelved(DARK, 11, 64)))).toMatch(
      /^1 image: 1 came onto the shelf\nshelf night: the best 1 of 2 wanted of 1 by quality\n#0 best 1: .* – seed 11, #0 of its run/,
    );
    const light = await run(host, shelved(LIGHT, 2 ** 53 - 1, 128));
    expect(light.status.status_str).toBe('success');
    expect(light.outputs.seeds!.text!.join()).toMatch(/9007199254740991\D+11/);
    const dull = shelved(0x101010, 13, 64);
    const third = await run(host, dull);
    expect(told(third)).toMatch(/this run #0 not better/);
    expect([third.outputs.added, third.outputs.best!.images!.length, counts()]).toEqual([
      undefined,
      2,
      [5, 2],
    ]);

    await run(host, dull); // nothing has changed: the host answers from its cache
    expect(counts()).toEqual([5, 2]);
    await run(host, shelved(MIDDLE, 14, 64));
    expect(counts()).toEqual([7, 3]);
    const again = await run(host, dull);
    expect(told(again)).toMatch(/the best 2 of 4 by quality.*nothing new came/s);

    await host.restart();
    const after = await run(host, shelved(DARK, 15, 64));
    expect(told(after)).toMatch(
      /the best 2 of 5 by quality\n#0 best 1: .*seed 9007199254740991.*\n#1 best 2: .*seed 14/,
    );
    expect(after.outputs.best!.images).toHaveLength(2);
    const kept = await Promise.all(after.outputs.best!.images!.map(({ filename }) => pixels(host, filename)));
    const first = await Promise.all(saved(host, 'added').map((name) => pixels(host, name)));
    for (const file of kept) expect(first.some((image) => image.equals(file))).toBe(true);

    const ids: string[] = [];
    for (const [i, color] of [DARK, LIGHT, MIDDLE, DARK, LIGHT].entries())
      ids.push(await submit(host, shelved(color, 20 + i, 64, { name: 'of four', after: 4, k: 1 })));
    const entries = await Promise.all(ids.map((id) => ended(host, id)));
    expect(entries.map(({ outputs }) => outputs.best?.images?.length ?? 0)).toEqual([0, 0, 0, 1, 0]);
    expect(told(entries[3]!)).toMatch(/handed on; the next run begins anew\n#0 best 1: .*seed 21/);
    const emptied = await run(host, shelved(DARK, 30, 64, { reset: true }));
    expect(told(emptied)).toMatch(/the best 1 of 2 wanted of 1 by quality.*reset is on/s);
  });

  it('lists, alpha, gates in a row, masks and latents go through', async () => {
    const { host } = await setUp();
    const graph: Graph = {
      ...noisy(4, 9, 128),
      black: { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 2, color: 0 } },
      mask: { class_type: 'SolidMask', inputs: { value: 0.5, width: 128, height: 128 } },
      alpha: { class_type: 'JoinImageWithAlpha', inputs: { image: ['images', 0], alpha: ['mask', 0] } },
      first: gate({ images: ['alpha', 0], measure: 'MOS', threshold: 2.5, unsure_within_interval: false }),
      second: gate({ images: ['first', 0], measure: 'reward', threshold: 0 }),
      kept: save('second', 0, 'twice'),
      closed: gate({ images: ['images', 0], measure: 'reward', threshold: 0, compact: true }),
      latent: { class_type: 'EmptyLatentImage', inputs: { width: 128, height: 128, batch_size: 4 } },
      best: {
        class_type: 'AssayBest',
        inputs: {
          images: ['closed', 0],
          by: 'quality',
          k: 2,
          on_failure: 'pass',
          masks: ['mask', 0],
          latents: ['latent', 0],
        },
      },
      top: save('best', 0, 'top'),
      latents: { class_type: 'SaveLatent', inputs: { samples: ['best', 2], filename_prefix: 'latent' } },
      selection: { class_type: 'MaskToImage', inputs: { mask: ['best', 4] } },
      chosen: save('selection', 0, 'chosen'),
      blank: gate({ images: ['black', 0], threshold: 0 }),
      never: save('blank', 0, 'never'),
      score: { class_type: 'AssayScore', inputs: { images: ['closed', 0], prompt: '' } },
      number: { class_type: 'PreviewAny', inputs: { source: ['score', 1] } },
      missing: { class_type: 'PreviewAny', inputs: { source: ['score', 2] } },
    };
    const { status, outputs } = await run(host, graph);
    expect(status.status_str).toBe('success');
    expect(outputs.kept?.images ?? []).toHaveLength(
      outputs.first!.assay!.filter((verdict) => verdict.label === 'accepted').length,
    );
    expect(outputs.top!.images).toHaveLength(2);
    expect(outputs.chosen!.images).toHaveLength(4);
    expect(outputs.number!.text).toHaveLength(4);
    expect([outputs.missing, outputs.never]).toEqual([undefined, undefined]);
    expect(outputs.blank!.text!.join(' ')).toMatch(/2 rejected.*blank/);
  });
});
