/** What a host promises, for every row of the table: on the fake of its kind and, where there is one, on a real one. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HostKind } from '../../../src/bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../../src/bridge/hosts/kinds.ts';
import { settingsSchema } from '../../../src/config/settings.ts';
import type { Host, HostEvent } from '../../../src/host.ts';
import { FAKES, type HostFake, type Lack, START_MS } from '../../support/hosts.ts';
import type { TestHost } from '../../support/test-host.ts';
import { endOf, errorOf, follow, QUICK, runOf, soon, until } from './harness.ts';

const isPng = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(1, 4)).toString() === 'PNG';
const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8;

describe('the table of hosts', () => {
  it('has a row for each kind, under a name of its own that is no setting', () => {
    const ids = HOST_KINDS.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][a-z0-9]*$/);
    expect(ids.filter((id) => id in settingsSchema.shape)).toEqual([]);
  });

  it.each(HOST_KINDS)('has a fake for the tests of $id', ({ id }) => {
    expect(Object.keys(FAKES)).toContain(id);
  });
});

for (const kind of HOST_KINDS) {
  const fake = FAKES[kind.id];
  if (!fake) continue; // said above
  contract(`the fake ${kind.title}`, kind, fake);
  for (const real of fake.reals)
    describe.skipIf(!real.isThere)(`where ${real.variable} names a ${real.title}`, () => {
      contract(`a real ${real.title}`, kind, real);
    });
}

function contract(name: string, kind: HostKind, fake: HostFake): void {
  const { workflows, nodes } = fake;
  const lacks = (what: Lack): boolean => fake.lacks.includes(what);

  async function connect(url: string, tuning = {}): Promise<Host> {
    const host = await kind.create({
      settings: kind.settings.parse({ url }),
      tuning: { ...QUICK, ...tuning },
    });
    onTestFinished(() => host.close());
    return host;
  }

  describe(name, () => {
    let running: TestHost;
    beforeAll(async () => {
      running = await fake.start();
    }, START_MS);
    afterAll(() => running?.stop());

    it('says which version it is', async () => {
      const info = await (await connect(running.url)).describe(soon());
      expect(info.kind).toBe(fake.title);
      expect(info.version).toMatch(fake.version);
    });

    it('runs a workflow, tells its events, and hands out its files', async () => {
      const host = await connect(`${running.url}/`);
      const { id, faults } = await host.submit(
        workflows.images({ count: 3, prefix: 'deep/er/flat' }),
        soon(),
      );
      expect(id).not.toBe('');
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
      const place = lacks('places') ? {} : { type: 'output', subfolder: 'deep/er' };
      expect(run.images[0]).toMatchObject({ node: nodes.save, replayed: false, ...place });
      expect(shown?.files.map((f) => f.filename)).toEqual(run.images.map((f) => f.filename));
      for (const image of run.images) expect(isPng(await host.fetchFile(image, soon()))).toBe(true);
    });

    it.skipIf(lacks('places'))('hands out temporary files', async () => {
      const host = await connect(running.url);
      const run = await runOf(host, workflows.images({ type: 'temp' }));
      expect(run.images[0]!.type).toBe('temp');
      expect(isPng(await host.fetchFile(run.images[0]!, soon()))).toBe(true);
    });

    it('tells progress and previews, and whose they are', async () => {
      const host = await connect(running.url);
      const { id } = await host.submit(workflows.slow({ steps: 4, ms: 60 }), soon());
      const events = await follow(host, id);
      const progress = events.filter((e) => e.kind === 'progress');
      const told = progress.map((e) => [e.node, e.value, e.max]);
      const all = [1, 2, 3, 4].map((v) => [nodes.slow, v, 4]);
      // Who is asked now and then tells some of the steps, in their order.
      expect(told).toEqual(lacks('channel') ? all.filter(([, v]) => told.some((t) => t[1] === v)) : all);
      expect(told.length).toBeGreaterThan(0);
      const previews = events.filter((e) => e.kind === 'preview');
      expect(previews.length).toBeGreaterThan(0);
      for (const { node, bytes } of previews) {
        expect(node).toBe(nodes.slow);
        expect(isJpeg(bytes) || isPng(bytes)).toBe(true);
      }
    });

    it.skipIf(lacks('cache'))('marks images that came from the cache', async () => {
      const host = await connect(running.url);
      const workflow = workflows.images();
      const first = await runOf(host, workflow);
      const again = await runOf(host, workflow);
      expect(again.images).toEqual(first.images.map((image) => ({ ...image, replayed: true })));
    });

    it.each(fake.refused)('refuses a workflow with %s', async (_what, graph, message) => {
      const error = await errorOf((await connect(running.url)).submit(graph, soon()));
      expect(error.code).toBe('WORKFLOW_REJECTED');
      expect(error.message).toMatch(message);
    });

    it.skipIf(lacks('fail'))('tells why a run failed, and what it made before', async () => {
      const host = await connect(running.url);
      const run = await runOf(host, workflows.failing('the lamp went out'));
      expect(run.status).toBe('error');
      expect(run.error).toMatch(/the lamp went out$/);
      expect(run.images.every((image) => image.node === nodes.early)).toBe(true);
    });

    it('lists runs, and what waits', async () => {
      const host = await connect(running.url);
      const done = [await runOf(host, workflows.images()), await runOf(host, workflows.images())];
      expect(await host.runs(soon(), 2)).toEqual(done);
      const all = await host.runs(soon());
      expect(all.slice(-2)).toEqual(done);
      const slow = await host.submit(workflows.slow({ steps: 40 }), soon());
      const next = await host.submit(workflows.images(), soon());
      expect(await host.queued(soon())).toEqual([slow.id, next.id]);
      expect(await host.cancel(slow.id, soon())).toBe(true);
      await follow(host, next.id);
    });

    it('interrupts a run, and only that one', async () => {
      const host = await connect(running.url);
      const slow = await host.submit(workflows.slow({ steps: 200 }), soon());
      const next = await host.submit(workflows.images(), soon());
      let isAsked = false;
      const events = await follow(host, slow.id, async (e: HostEvent) => {
        if (isAsked || e.kind !== 'progress' || e.value < 2) return;
        isAsked = true;
        expect(await host.cancel(slow.id, soon())).toBe(true);
      });
      expect(endOf(events)).toMatchObject({ status: 'interrupted', error: null, images: [] });
      expect(endOf(await follow(host, next.id)).status).toBe('success');
      expect(await host.cancel(slow.id, soon())).toBe(false);
    });

    it('takes a waiting run out of the queue, and the running one goes on', async () => {
      const host = await connect(running.url);
      const slow = await host.submit(workflows.slow({ steps: 10, ms: 100 }), soon());
      const next = await host.submit(workflows.images(), soon());
      expect(await host.cancel(next.id, soon())).toBe(true);
      expect((await errorOf(follow(host, next.id))).code).toBe('PROMPT_LOST');
      expect(endOf(await follow(host, slow.id)).status).toBe('success');
      expect(await host.cancel(crypto.randomUUID(), soon())).toBe(false);
    });

    it('notices runs of others', async () => {
      const [watcher, other] = [await connect(running.url), await connect(running.url)];
      const stop = new AbortController();
      const changes = watcher.changes(60_000, AbortSignal.any([stop.signal, soon()]));
      expect((await changes[Symbol.asyncIterator]().next()).value).toBe('changed');
      const run = await runOf(other, workflows.images());
      for await (const change of changes)
        if (lacks('history') ? change === 'changed' : (await watcher.runs(soon(), 1))[0]?.id === run.id)
          break;
    });

    it('says when a file is gone', async () => {
      const host = await connect(running.url);
      const { images } = await runOf(host, workflows.images());
      // What is in an answer alone is gone with the process that got it.
      const later = lacks('places') ? await connect(running.url) : host;
      if (!lacks('places')) rmSync(join(running.outputDir, images[0]!.filename));
      const error = await errorOf(later.fetchFile(images[0]!, soon()));
      expect(error.code).toBe('IMAGE_GONE');
      expect(error.message).toContain(images[0]!.filename);
    });

    it('does not lead out of the folders of the host', async () => {
      const host = await connect(running.url);
      const file = { filename: '../../etc/passwd', subfolder: '', type: 'output' } as const;
      const code = lacks('places') ? 'IMAGE_GONE' : 'HOST_DENIED';
      expect((await errorOf(host.fetchFile(file, soon()))).code).toBe(code);
      const folder = { filename: 'passwd', subfolder: '../../etc', type: 'output' } as const;
      expect((await errorOf(host.fetchFile(folder, soon()))).code).toBe(code);
    });

    it('resolves a run that a restart swept away, and says that the host is back', {
      timeout: START_MS,
    }, async () => {
      const host = await connect(running.url, { patienceMs: START_MS });
      const seen: string[] = [];
      const stop = new AbortController();
      const watching = (async () => {
        for await (const change of host.changes(500, stop.signal)) seen.push(change);
      })();
      const { id } = await host.submit(workflows.slow({ steps: 1000, ms: 100 }), soon());
      await until('it runs', async () => seen.length > 0 && (await host.queued(soon())).includes(id));
      const lost = errorOf(
        (async () => {
          for await (const event of host.follow(id, soon(START_MS))) expect(event.kind).not.toBe('ended');
        })(),
      );
      await running.restart();
      expect((await lost).code).toBe('PROMPT_LOST');
      await until('it is back', () => seen.includes('back'));
      expect(await host.runs(soon())).toEqual([]);
      expect((await runOf(host, workflows.slow({ steps: 2 }))).status).toBe('success');
      stop.abort(new Error('enough'));
      await expect(watching).rejects.toThrow('enough');
    });
  });
}
