/** What the host client promises, on the fake host and, where COMFYUI_DIR names one, on a real ComfyUI. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HostEvent } from '../../../../src/host.ts';
import { startFake } from '../../../support/comfyui/fake.ts';
import { flatImages, freshColour, sink, slowImage, through } from '../../../support/comfyui/graphs.ts';
import type { TestHost } from '../../../support/comfyui/host.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from '../../../support/comfyui/real.ts';
import { connect, endOf, errorOf, follow, runOf, soon, until } from './harness.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isPng = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(1, 4)).toString() === 'PNG';

contract('the fake host', () => startFake());
describe.skipIf(!hasReal)('with COMFYUI_DIR set', () => {
  contract('a real ComfyUI', () => startReal({ packs: [TEST_PACK] }));
});

function contract(name: string, start: () => Promise<TestHost>): void {
  describe(name, () => {
    let comfy: TestHost;
    beforeAll(async () => {
      comfy = await start();
    }, START_MS);
    afterAll(() => comfy?.stop());

    it('says which version it is', async () => {
      const info = await connect(comfy.url).describe(soon());
      expect(info.kind).toBe('ComfyUI');
      expect(info.version).toMatch(/^\d+\.\d+\.\d+/);
    });

    it('runs a workflow, tells its events, and hands out its files', async () => {
      const host = connect(`${comfy.url}/`);
      const { id, faults } = await host.submit(flatImages({ count: 3, prefix: 'deep/er/flat' }), soon());
      expect(id).toMatch(UUID);
      expect(faults).toEqual([]);
      const events = await follow(host, id);
      const kinds = events.map((e) => e.kind);
      expect(kinds[0]).toBe('started');
      expect(kinds).toContain('node');
      const shown = events.find((e) => e.kind === 'images');
      const run = endOf(events);
      expect(run).toMatchObject({ id, status: 'success', error: null });
      expect(Math.abs(run.endedAt! - Date.now())).toBeLessThan(60_000);
      expect(run.images).toHaveLength(3);
      expect(run.images[0]).toMatchObject({
        node: '9',
        type: 'output',
        subfolder: 'deep/er',
        replayed: false,
      });
      expect(shown?.files.map((f) => f.filename)).toEqual(run.images.map((f) => f.filename));
      for (const image of run.images) expect(isPng(await host.fetchFile(image, soon()))).toBe(true);
    });

    it('hands out temporary files', async () => {
      const host = connect(comfy.url);
      const run = await runOf(host, flatImages({ type: 'temp' }));
      expect(run.images[0]!.type).toBe('temp');
      expect(isPng(await host.fetchFile(run.images[0]!, soon()))).toBe(true);
    });

    it('tells progress and previews, and whose they are', async () => {
      const host = connect(comfy.url);
      const { id } = await host.submit(slowImage({ steps: 4, ms: 60 }), soon());
      const events = await follow(host, id);
      const progress = events.filter((e) => e.kind === 'progress');
      expect(progress.map((e) => [e.node, e.value, e.max])).toEqual([1, 2, 3, 4].map((v) => ['2', v, 4]));
      const previews = events.filter((e) => e.kind === 'preview');
      expect(previews.length).toBeGreaterThan(0);
      for (const { node, bytes } of previews) {
        expect(node).toBe('2');
        expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xd8]);
      }
    });

    it('marks images that came from the cache', async () => {
      const host = connect(comfy.url);
      const color = freshColour();
      const first = await runOf(host, flatImages({ color }));
      const again = await runOf(host, flatImages({ color }));
      expect(again.images).toEqual(first.images.map((image) => ({ ...image, replayed: true })));
    });

    it('keeps a seed beyond 2^53', async () => {
      const host = connect(comfy.url);
      const seed = 18446744073709551557n;
      await runOf(host, through('ImageAddNoise', { seed, strength: 0.5 }));
      const answer = await fetch(`${comfy.url}/history?max_items=1`);
      expect(await answer.text()).toMatch(/"seed": ?18446744073709551557\b/);
    });

    it('tells which part of a workflow the host left out', async () => {
      const host = connect(comfy.url);
      const graph = { ...flatImages(), x: { class_type: 'PreviewImage', inputs: {} } };
      const { id, faults } = await host.submit(graph, soon());
      expect(faults).toEqual([
        { node: 'x', nodeType: 'PreviewImage', message: expect.stringMatching(/missing.*images/) },
      ]);
      expect(endOf(await follow(host, id))).toMatchObject({ status: 'success', images: [{ node: '9' }] });
    });

    it.each([
      [
        'a class that it does not have',
        { '5': { class_type: 'NoSuchNode', inputs: {} } },
        /node 5 \(NoSuchNode\): .*NoSuchNode/,
      ],
      [
        'an input that is missing',
        {
          '9': sink('output', ['1', 0], 'x'),
          '1': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, color: 0 } },
        },
        /node 1 \(EmptyImage\): .*missing.*batch_size/,
      ],
      ['no output', { '1': flatImages()['1']! }, /no outputs/],
    ])('refuses a workflow with %s', async (_what, graph, message) => {
      const error = await errorOf(connect(comfy.url).submit(graph, soon()));
      expect(error.code).toBe('WORKFLOW_REJECTED');
      expect(error.message).toMatch(message);
    });

    it('tells why a run failed, and what it made before', async () => {
      const host = connect(comfy.url);
      const graph = { ...through('AssayTestFail', { message: 'the lamp went out' }) };
      graph['8'] = sink('output', ['1', 0], 'before');
      const run = await runOf(host, graph);
      expect(run.status).toBe('error');
      expect(run.error).toBe('node 2 (AssayTestFail): the lamp went out');
      expect(run.images.every((image) => image.node === '8')).toBe(true);
    });

    it('does not take a blocked output for the end', async () => {
      const run = await runOf(connect(comfy.url), through('AssayTestBlock', { message: 'not this one' }));
      expect(run).toMatchObject({ status: 'success', error: null, images: [] });
    });

    it('reads a history with NaN in it', async () => {
      const host = connect(comfy.url);
      const graph = { ...flatImages(), '3': { class_type: 'AssayTestNaN', inputs: { image: ['1', 0] } } };
      const run = await runOf(host, graph);
      expect(run).toMatchObject({ status: 'success', images: [{ node: '9' }] });
      expect(host.warnings.malformedFrames).toBe(0);
    });

    it('counts binary frames that it does not know or that are cut short', async () => {
      const host = connect(comfy.url);
      expect(await runOf(host, through('AssayTestFrame', { kind: 77, hex: '00' }))).toMatchObject({
        status: 'success',
      });
      expect(await runOf(host, through('AssayTestFrame', { kind: 1, hex: '0000' }))).toMatchObject({
        status: 'success',
      });
      expect(host.warnings).toMatchObject({ unknownFrames: 1, malformedFrames: 1 });
    });

    it('lists runs, and what waits', async () => {
      const host = connect(comfy.url);
      const done = [await runOf(host, flatImages()), await runOf(host, flatImages())];
      expect(await host.runs(soon(), 2)).toEqual(done);
      const all = await host.runs(soon());
      expect(all.slice(-2)).toEqual(done);
      const slow = await host.submit(slowImage({ steps: 40 }), soon());
      const next = await host.submit(flatImages(), soon());
      expect(await host.queued(soon())).toEqual([slow.id, next.id]);
      expect(await host.cancel(slow.id, soon())).toBe(true);
      await follow(host, next.id);
    });

    it('interrupts a run, and only that one', async () => {
      const host = connect(comfy.url);
      const slow = await host.submit(slowImage({ steps: 200 }), soon());
      const next = await host.submit(flatImages(), soon());
      const events = await follow(host, slow.id, async (e: HostEvent) => {
        if (e.kind === 'progress' && e.value === 2) expect(await host.cancel(slow.id, soon())).toBe(true);
      });
      expect(endOf(events)).toMatchObject({ status: 'interrupted', error: null, images: [] });
      expect(endOf(await follow(host, next.id)).status).toBe('success');
      expect(await host.cancel(slow.id, soon())).toBe(false);
    });

    it('takes a waiting run out of the queue, and the running one goes on', async () => {
      const host = connect(comfy.url);
      const slow = await host.submit(slowImage({ steps: 10, ms: 100 }), soon());
      const next = await host.submit(flatImages(), soon());
      expect(await host.cancel(next.id, soon())).toBe(true);
      expect((await errorOf(follow(host, next.id))).code).toBe('PROMPT_LOST');
      expect(endOf(await follow(host, slow.id)).status).toBe('success');
      expect(await host.cancel(crypto.randomUUID(), soon())).toBe(false);
    });

    it('notices runs of others', async () => {
      const [watcher, other] = [connect(comfy.url), connect(comfy.url)];
      const stop = new AbortController();
      const changes = watcher.changes(60_000, AbortSignal.any([stop.signal, soon()]));
      expect((await changes[Symbol.asyncIterator]().next()).value).toBe('changed');
      const run = await runOf(other, flatImages());
      for await (const _ of changes) if ((await watcher.runs(soon(), 1))[0]?.id === run.id) break;
    });

    it('resolves a run whose events went to another socket of the same id', async () => {
      const host = connect(comfy.url);
      const { id } = await host.submit(slowImage({ steps: 15, ms: 100 }), soon());
      await until('it runs', async () => (await host.queued(soon())).includes(id));
      const queue = (await (await fetch(`${comfy.url}/queue`)).json()) as Record<
        string,
        [number, string, object, { client_id: string }][]
      >;
      const item = [...queue.queue_running!, ...queue.queue_pending!].find((i) => i[1] === id)!;
      const thief = new WebSocket(`${comfy.url.replace('http', 'ws')}/ws?clientId=${item[3].client_id}`);
      onTestFinished(() => thief.close());
      expect(endOf(await follow(host, id)).status).toBe('success');
      await until('a socket of its own', () => host.warnings.reconnects > 0);
      const next = await host.submit(slowImage({ steps: 3 }), soon());
      expect((await follow(host, next.id)).filter((e) => e.kind === 'progress')).toHaveLength(3);
    });

    it('says when a file is gone', async () => {
      const host = connect(comfy.url);
      const { images } = await runOf(host, flatImages());
      rmSync(join(comfy.outputDir, images[0]!.filename));
      const error = await errorOf(host.fetchFile(images[0]!, soon()));
      expect(error.code).toBe('IMAGE_GONE');
      expect(error.message).toContain(images[0]!.filename);
    });

    it('does not lead out of the folders of the host', async () => {
      const host = connect(comfy.url);
      const file = { filename: '../../etc/passwd', subfolder: '', type: 'output' } as const;
      expect((await errorOf(host.fetchFile(file, soon()))).code).toBe('HOST_DENIED');
      const folder = { filename: 'passwd', subfolder: '../../etc', type: 'output' } as const;
      expect((await errorOf(host.fetchFile(folder, soon()))).code).toBe('HOST_DENIED');
    });

    it('resolves a run that a restart swept away, and says that the host is back', {
      timeout: START_MS,
    }, async () => {
      const host = connect(comfy.url, { tuning: { patienceMs: START_MS } });
      const seen: string[] = [];
      const stop = new AbortController();
      const watching = (async () => {
        for await (const change of host.changes(500, stop.signal)) seen.push(change);
      })();
      const { id } = await host.submit(slowImage({ steps: 1000, ms: 100 }), soon());
      await until('it runs', async () => seen.length > 0 && (await host.queued(soon())).includes(id));
      const lost = errorOf(
        (async () => {
          for await (const event of host.follow(id, soon(START_MS))) expect(event.kind).not.toBe('ended');
        })(),
      );
      await comfy.restart();
      expect((await lost).code).toBe('PROMPT_LOST');
      await until('it is back', () => seen.includes('back'));
      expect(await host.runs(soon())).toEqual([]);
      expect((await runOf(host, slowImage({ steps: 2 }))).status).toBe('success');
      stop.abort(new Error('enough'));
      await expect(watching).rejects.toThrow('enough');
    });
  });
}
