/** What is ComfyUI's own in the promises of its link, on the fake and, where COMFYUI_DIR names one, on a real ComfyUI. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startFake } from '../../../support/comfyui/fake.ts';
import { flatImages, slowImage, through } from '../../../support/comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from '../../../support/comfyui/real.ts';
import type { TestHost } from '../../../support/test-host.ts';
import { connect, endOf, follow, runOf, soon, until } from './harness.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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
      expect(id).toMatch(UUID);
      expect(faults).toEqual([
        { node: 'x', nodeType: 'PreviewImage', message: expect.stringMatching(/missing.*images/) },
      ]);
      expect(endOf(await follow(host, id))).toMatchObject({ status: 'success', images: [{ node: '9' }] });
    });

    it('names the node that failed', async () => {
      const run = await runOf(connect(comfy.url), through('AssayTestFail', { message: 'the lamp went out' }));
      expect(run.error).toBe('node 2 (AssayTestFail): the lamp went out');
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
  });
}
