/** Nasty timelines on the fake host: what it can do to a client, and what the client must make of it. */
import { describe, expect, it } from 'vitest';
import type { HostEvent } from '../../../../src/host.ts';
import type { FakeHost } from '../../../support/comfyui/fake.ts';
import { flatImages, slowImage } from '../../../support/comfyui/graphs.ts';
import { binaryFrame, plainPreview } from '../../../support/comfyui/hub.ts';
import { connect, endOf, errorOf, fakeWithHost, follow, runOf, soon, until } from './harness.ts';

const kindsOf = (events: HostEvent[]): string[] => events.map((e) => e.kind);
/** Acts at a step of the next run, and never again. */
function once(step: number, act: () => void) {
  let isDone = false;
  return (_id: string, at: number): void => {
    if (isDone || at !== step) return;
    isDone = true;
    act();
  };
}
const asked = (comfy: FakeHost, what: string): string[] =>
  comfy.seen.filter(({ method, path }) => `${method} ${path}`.startsWith(what)).map((s) => s.body);

describe('a socket', () => {
  it('that is cut in the middle of a run comes back, and the run goes on', async () => {
    const { comfy, host } = await fakeWithHost();
    comfy.settings.atStep = once(3, () => comfy.cut());
    const { id } = await host.submit(slowImage({ steps: 12, ms: 40 }), soon());
    const events = await follow(host, id);
    expect(endOf(events).status).toBe('success');
    const values = events.flatMap((e) => (e.kind === 'progress' ? [e.value] : []));
    expect(values).toContain(1);
    expect(values).toContain(12);
    expect(host.warnings.reconnects).toBe(1);
  });

  it('tells whether the host is at work, whoever asked for it', async () => {
    const { comfy, host: watching } = await fakeWithHost();
    const changes = watching.changes(50, soon())[Symbol.asyncIterator]();
    await changes.next();
    expect(watching.isBusy).toBe(false);
    const another = connect(comfy.url);
    const { id } = await another.submit(slowImage({ steps: 12, ms: 40 }), soon());
    await until('it is busy', () => watching.isBusy === true);
    await follow(another, id);
    await until('it is idle', () => watching.isBusy === false);
    await changes.return?.();
  });

  it('greets first on every connection', async () => {
    const { comfy, host } = await fakeWithHost();
    await runOf(host, flatImages());
    comfy.cut();
    await until('it is back', () => comfy.hub.connections === 2);
    await runOf(host, flatImages());
    expect(comfy.hub.greetings).toHaveLength(2);
    for (const greeting of comfy.hub.greetings)
      expect(greeting).toEqual({ type: 'feature_flags', data: { supports_preview_metadata: true } });
  });

  it('that went deaf is found out and replaced under a fresh id', async () => {
    const { comfy, host } = await fakeWithHost();
    await runOf(host, flatImages());
    const [before] = comfy.hub.ids();
    comfy.settings.atStep = once(2, () => comfy.deafen());
    const { id } = await host.submit(slowImage({ steps: 20, ms: 40 }), soon());
    const events = await follow(host, id);
    expect(endOf(events).status).toBe('success');
    expect(kindsOf(events).filter((k) => k === 'progress').length).toBeLessThan(20);
    await until('a fresh id is heard', () => comfy.hub.ids().length === 1);
    expect(comfy.hub.ids()).not.toEqual([before]);
    expect(comfy.hub.open).toBe(1);
    const next = await host.submit(slowImage({ steps: 3 }), soon());
    expect(kindsOf(await follow(host, next.id)).filter((k) => k === 'progress')).toHaveLength(3);
  });

  it('that was deaf to the end of a run does not keep it', async () => {
    const { comfy, host } = await fakeWithHost({}, { tuning: { livenessMs: 60_000 } });
    comfy.settings.atEnd = () => comfy.deafen();
    expect((await runOf(host, flatImages())).status).toBe('success');
  });

  it('that takes over the id of another goes deaf when the host forgets that one, and is replaced', async () => {
    const { comfy, host } = await fakeWithHost({ lateForgetMs: 150 });
    comfy.settings.atStep = once(2, () => comfy.cut());
    const { id } = await host.submit(slowImage({ steps: 12, ms: 40 }), soon());
    const events = await follow(host, id);
    expect(endOf(events).status).toBe('success');
    await until('it is replaced', () => host.warnings.reconnects === 2 && comfy.hub.ids().length === 1);
    const next = await host.submit(slowImage({ steps: 3 }), soon());
    expect(kindsOf(await follow(host, next.id)).filter((k) => k === 'progress')).toHaveLength(3);
  });

  it('that does not answer any more is given up', async () => {
    const { comfy, host } = await fakeWithHost({}, { tuning: { pingMs: 50, livenessMs: 60_000 } });
    await runOf(host, flatImages());
    comfy.hub.freeze();
    await until('it is replaced', () => host.warnings.reconnects === 1 && comfy.hub.ids().length === 1);
    const next = await host.submit(slowImage({ steps: 3 }), soon());
    expect(kindsOf(await follow(host, next.id)).filter((k) => k === 'progress')).toHaveLength(3);
  });

  it('that is cut again and again comes back each time', async () => {
    const { comfy, host } = await fakeWithHost();
    for (let cuts = 1; cuts <= 5; cuts++) {
      comfy.settings.atStep = once(1, () => comfy.cut());
      const { id } = await host.submit(slowImage({ steps: 8, ms: 40 }), soon());
      const events = await follow(host, id);
      expect(events.some((e) => e.kind === 'progress' && e.value === 8)).toBe(true);
      expect(host.warnings.reconnects).toBe(cuts);
    }
  });

  it('that never opens is done without', async () => {
    const { comfy, host } = await fakeWithHost({
      fault: (_m, path) => (path === '/ws' ? 'reset' : undefined),
    });
    const run = await runOf(host, slowImage({ steps: 3 }));
    expect(run).toMatchObject({ status: 'success', images: [{ node: '9' }] });
    expect(comfy.hub.connections).toBe(0);
  });

  it('carries on after frames that nobody can read', async () => {
    const { comfy, host } = await fakeWithHost();
    const frames: (string | Uint8Array)[] = [
      ...['{"type": "status"', '[1, 2]', 'null', '{"type": 7}', ''],
      ...[new Uint8Array(0), Uint8Array.of(0, 0, 0), binaryFrame(1), plainPreview(new Uint8Array(0))],
      ...[
        binaryFrame(4, Buffer.from([255, 255, 255, 255])),
        binaryFrame(4, Buffer.from('0000000561', 'hex')),
      ],
      ...[
        binaryFrame(4, Buffer.from('00000002'), Buffer.from('{]')),
        binaryFrame(3, Buffer.from('00000009ff', 'hex')),
      ],
    ];
    comfy.settings.atStep = once(2, () => {
      for (const frame of frames) comfy.hub.sendRaw(frame, null);
      comfy.hub.sendRaw(binaryFrame(99, Buffer.from('hello')), null);
      comfy.hub.sendRaw('{"type": "monitor", "data": [NaN, -Infinity, "NaN"]}', null);
    });
    const { id } = await host.submit(slowImage({ steps: 4 }), soon());
    const events = await follow(host, id);
    expect(kindsOf(events).filter((k) => k === 'progress')).toHaveLength(4);
    expect(endOf(events).status).toBe('success');
    expect(host.warnings).toEqual({
      malformedFrames: frames.length,
      unknownFrames: 1,
      reconnects: 0,
      tooLarge: 0,
    });
  });

  it('gives previews that say nothing of themselves to the node that runs', async () => {
    const { comfy, host } = await fakeWithHost();
    const image = Uint8Array.of(0xff, 0xd8, 1, 2, 3);
    comfy.settings.atStep = once(3, () => comfy.hub.sendRaw(plainPreview(image), null));
    const { id } = await host.submit(slowImage({ steps: 3 }), soon());
    const previews = (await follow(host, id)).filter((e) => e.kind === 'preview');
    expect(previews.map(({ node, bytes }) => [node, [...bytes]])).toContainEqual(['2', [...image]]);
  });
});

describe('a history', () => {
  it('that comes late is waited for', async () => {
    const { host } = await fakeWithHost({ lateHistoryMs: 500 });
    expect(await runOf(host, flatImages())).toMatchObject({ status: 'success', images: [{ node: '9' }] });
  });

  it('that cannot be read for a while is asked again', async () => {
    const { comfy, host } = await fakeWithHost();
    let failures = 6;
    comfy.settings.fault = (_method, path) =>
      path.startsWith('/history') && failures-- > 0 ? { status: 500, body: 'busy' } : undefined;
    expect((await runOf(host, flatImages())).status).toBe('success');
    expect(failures).toBeLessThan(0);
  });

  it('that stays unreadable ends the wait', async () => {
    const { host } = await fakeWithHost(
      { fault: (_m, path) => (path.startsWith('/history') ? { status: 500, body: 'broken' } : undefined) },
      { tuning: { patienceMs: 300 } },
    );
    const { id } = await host.submit(flatImages(), soon());
    const error = await errorOf(follow(host, id));
    expect(error.code).toBe('HOST_FAILED');
    expect(error.message).toContain('broken');
  });

  it('of many runs is read whole, oldest first, whatever their ids look like', async () => {
    const { comfy, host } = await fakeWithHost();
    const ids = Array.from({ length: 450 }, (_, i) => (i % 7 === 3 ? `${1000 - i}` : crypto.randomUUID()));
    for (const [i, id] of ids.entries()) {
      comfy.addRun({ id });
      for (const [, message] of comfy.history.get(id)!.status.messages)
        Object.assign(message, { timestamp: i });
    }
    expect((await host.runs(soon())).map((run) => run.id)).toEqual(ids);
    expect((await host.runs(soon(), 3)).map((run) => run.id)).toEqual(ids.slice(-3));
  });

  it('of a host that knows no pages is read whole, too', async () => {
    const { comfy, host } = await fakeWithHost();
    for (let i = 0; i < 450; i++) comfy.addRun({});
    const all = [...comfy.history];
    comfy.settings.fault = (_method, path) =>
      path === '/history' && comfy.seen.at(-1)!.path.includes('max_items')
        ? { status: 200, body: JSON.stringify(Object.fromEntries(all.slice(-200))) }
        : undefined;
    expect(await host.runs(soon())).toHaveLength(450);
  });

  it('is read to its end when a page holds an entry that cannot be read', async () => {
    const { comfy, host } = await fakeWithHost();
    comfy.history.set('unreadable', null as never);
    for (let i = 0; i < 250; i++) comfy.addRun({});
    expect(await host.runs(soon())).toHaveLength(250);
  });

  it('with entries of another shape loses only those', async () => {
    const { comfy, host } = await fakeWithHost();
    comfy.addRun({ status: 'interrupted' });
    const { id } = comfy.addRun({ images: [Buffer.from('x')] });
    const entry = comfy.history.get(id)!;
    const odd = [null, 7, { filename: 3 }, { filename: 'clip.mp4', type: 'output' }, { filename: 'b.png' }];
    entry.outputs['9']!.images!.push(...odd);
    entry.outputs.odd = 'text' as never;
    comfy.history.set('none', null as never);
    comfy.history.set('bare', { outputs: {} } as never);
    const runs = await host.runs(soon());
    expect(runs.map((run) => run.status)).toEqual(['interrupted', 'success', 'success']);
    expect(runs[1]!.images.map((image) => image.filename)).toEqual(['ComfyUI_00001_.png', 'b.png']);
    expect(runs[1]!.left).toMatchObject([{ name: 'clip.mp4', node: '9', reason: 'a video' }]);
    expect(runs[2]).toEqual({
      ...{ id: 'bare', status: 'success', images: [], left: [], error: null, endedAt: null },
    });
  });
});

describe('cancelling', () => {
  it('uses the route of newer hosts alone', async () => {
    const { comfy, host } = await fakeWithHost({ jobs: true });
    const slow = await host.submit(slowImage({ steps: 500 }), soon());
    const next = await host.submit(flatImages(), soon());
    expect(await host.cancel(next.id, soon())).toBe(true);
    expect(await host.cancel(slow.id, soon())).toBe(true);
    expect(endOf(await follow(host, slow.id)).status).toBe('interrupted');
    expect(await host.cancel(slow.id, soon())).toBe(false);
    expect(asked(comfy, 'POST /interrupt')).toEqual([]);
  });

  it('asks older hosts for that route once', async () => {
    const { comfy, host } = await fakeWithHost();
    for (let i = 0; i < 3; i++) expect(await host.cancel(crypto.randomUUID(), soon())).toBe(false);
    expect(asked(comfy, 'POST /api/jobs')).toHaveLength(1);
    expect(asked(comfy, 'POST /interrupt')).toEqual([]);
  });

  it('spares other runs of a host that interrupts whatever runs', async () => {
    const { comfy, host } = await fakeWithHost({ interruptsAny: true });
    const done = await runOf(host, flatImages());
    const slow = await host.submit(slowImage({ steps: 20, ms: 30 }), soon());
    const next = await host.submit(flatImages(), soon());
    expect(await host.cancel(done.id, soon())).toBe(false);
    expect(await host.cancel(next.id, soon())).toBe(true);
    expect(endOf(await follow(host, slow.id)).status).toBe('success');
    expect(asked(comfy, 'POST /interrupt')).toEqual([]);
  });

  it('says whom an interrupt is for', async () => {
    const { comfy, host } = await fakeWithHost();
    const { id } = await host.submit(slowImage({ steps: 500 }), soon());
    await host.cancel(id, soon());
    expect(endOf(await follow(host, id)).status).toBe('interrupted');
    expect(asked(comfy, 'POST /interrupt').map((body) => JSON.parse(body))).toEqual([{ prompt_id: id }]);
  });
});

describe('submitting', () => {
  it('does not queue twice what was taken before the connection broke', async () => {
    const { comfy, host } = await fakeWithHost();
    let faults = 1;
    comfy.settings.fault = (method, path) =>
      method === 'POST' && path === '/prompt' && faults-- > 0 ? 'lose' : undefined;
    const run = await runOf(host, slowImage({ steps: 2 }));
    expect(run.status).toBe('success');
    expect([...comfy.history.keys()]).toEqual([run.id]);
    expect(asked(comfy, 'POST /prompt')).toHaveLength(1);
  });

  it('is repeated when the host did not take it', async () => {
    const { comfy, host } = await fakeWithHost();
    let faults = 1;
    comfy.settings.fault = (method, path) =>
      method === 'POST' && path === '/prompt' && faults-- > 0 ? 'reset' : undefined;
    expect((await runOf(host, flatImages())).status).toBe('success');
    expect(comfy.history.size).toBe(1);
  });
});

describe('following', () => {
  it('ends with the abort, and can be taken up again', async () => {
    const { comfy, host } = await fakeWithHost();
    const { id } = await host.submit(slowImage({ steps: 10, ms: 30 }), soon());
    const stop = new AbortController();
    const events = host.follow(id, stop.signal);
    for await (const event of events) if (event.kind === 'progress') break;
    stop.abort(new Error('enough'));
    await expect(host.follow(id, stop.signal)[Symbol.asyncIterator]().next()).rejects.toThrow('enough');
    expect(endOf(await follow(host, id)).status).toBe('success');
    expect(comfy.hub.connections).toBe(1);
  });

  it('of many runs at a time resolves each', async () => {
    const { comfy, host } = await fakeWithHost();
    const ids = await Promise.all(
      Array.from({ length: 30 }, async () => (await host.submit(flatImages(), soon())).id),
    );
    comfy.cut();
    const runs = await Promise.all(ids.map(async (id) => endOf(await follow(host, id))));
    expect(runs.map((run) => run.id)).toEqual(ids);
    expect(new Set(runs.map((run) => run.status))).toEqual(new Set(['success']));
  });
});

describe('changes', () => {
  async function collect(comfy: FakeHost, pollMs: number) {
    const host = connect(comfy.url);
    const stop = new AbortController();
    const seen: string[] = [];
    const ended = (async () => {
      for await (const change of host.changes(pollMs, stop.signal)) seen.push(change);
    })();
    ended.catch(() => {});
    await until('the first', () => seen.length > 0);
    return { host, seen, stop, ended };
  }

  it('come at once when the host says so', async () => {
    const { comfy } = await fakeWithHost();
    const { seen, stop, ended } = await collect(comfy, 600_000);
    await until('it listens', () => comfy.hub.ids().length === 1);
    const before = seen.length;
    comfy.addRun({});
    await until('a hint', () => seen.length > before);
    stop.abort(new Error('enough'));
    await expect(ended).rejects.toThrow('enough');
  });

  it('come by the clock when nothing is heard', async () => {
    const { comfy } = await fakeWithHost({ fault: (_m, path) => (path === '/ws' ? 'reset' : undefined) });
    const { seen, stop } = await collect(comfy, 20);
    await until('polls', () => seen.length > 5);
    stop.abort();
  });

  it('are silent while the host is away, and then say that it is back', async () => {
    const { comfy } = await fakeWithHost();
    const { seen, stop } = await collect(comfy, 50);
    await comfy.down();
    const asideFrom = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seen.length).toBeLessThanOrEqual(asideFrom + 1);
    seen.length = 0;
    await comfy.up();
    await until('it is back', () => seen.length > 0);
    expect(seen[0]).toBe('back');
    stop.abort();
  });
});

describe('closing', () => {
  it('ends the channel at once, also while it is being opened', async () => {
    const { comfy } = await fakeWithHost();
    await comfy.down();
    const host = connect(comfy.url, { tuning: { openMs: 30_000 } });
    await errorOf(host.submit(flatImages(), soon()));
    const begin = performance.now();
    await host.close();
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  it('leaves no connection', async () => {
    const { comfy, host } = await fakeWithHost();
    await runOf(host, flatImages());
    await host.close();
    await until('it is gone', () => comfy.hub.open === 0);
  });
});
