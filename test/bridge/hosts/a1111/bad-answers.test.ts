/** What this family answers when things go wrong, and what becomes of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pictures, slow } from '../../../support/a1111/requests.ts';
import type { Settings } from '../../../support/a1111/settings.ts';
import { endOf, errorOf, follow, runOf, soon, until } from '../harness.ts';
import { byOther, connect, fakeWithHost } from './harness.ts';

/** A fault of the generating routes alone. */
const ofRuns =
  (fault: ReturnType<NonNullable<Settings['fault']>>, times = Number.POSITIVE_INFINITY): Settings['fault'] =>
  (_method, path) =>
    path.endsWith('2img') && times-- > 0 ? fault : undefined;

describe('a request that is refused', () => {
  it.each([
    ['an unknown sampler', { ...pictures(), sampler_name: 'No such' }, /txt2img: Sampler not found$/],
    ['an unknown script', { ...pictures(), script_name: 'nothing' }, /Script 'nothing' not found$/],
    ['an unknown field', { ...pictures(), cfg: 7 }, /it has no field "cfg" in txt2img/],
  ])('says why: %s', async (_what, body, message) => {
    const { host } = await fakeWithHost({ fork: 'a1111' });
    const error = await errorOf(host.submit(body, soon()));
    expect([error.code, error.message]).toEqual(['WORKFLOW_REJECTED', expect.stringMatching(message)]);
  });

  it('is told to who follows it, where its turn comes later', async () => {
    const { host } = await fakeWithHost();
    const first = await host.submit(slow({ steps: 8 }), soon());
    const second = await host.submit({ ...pictures(), script_name: 'nothing' }, soon());
    expect((await errorOf(follow(host, second.id))).code).toBe('WORKFLOW_REJECTED');
    expect(endOf(await follow(host, first.id)).status).toBe('success');
  });
});

describe('a host that does not play along', () => {
  it('wants a login: told, and let in with one in the address or in a header', async () => {
    const { webui, host } = await fakeWithHost({ login: 'user:secret' });
    const error = await errorOf(host.submit(pictures(), soon()));
    expect([error.code, error.message]).toEqual(['HOST_DENIED', expect.not.stringContaining('secret')]);
    const withLogin = connect(webui.url.replace('//', '//user:secret@'));
    expect((await runOf(withLogin, pictures())).status).toBe('success');
    expect(withLogin.url).toBe(webui.url);
    const authorization = `Basic ${Buffer.from('user:secret').toString('base64')}`;
    expect((await runOf(connect(webui.url, { headers: { authorization } }), pictures())).status).toBe(
      'success',
    );
  });

  it('has its API switched off', async () => {
    const { host } = await fakeWithHost({ hasApi: false });
    const error = await errorOf(host.describe(soon()));
    expect([error.code, error.fix]).toEqual(['HOST_API_OFF', 'Start it with --api.']);
  });

  it('is something else', async () => {
    const server = createServer((_request, response) => void response.end('<h1>hello</h1>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const error = await errorOf(connect(`http://127.0.0.1:${port}`).describe(soon()));
    expect(error.code).toBe('HOST_UNKNOWN');
    expect(error.message).toContain('not as AUTOMATIC1111, Forge or SD.Next');
  });

  it.each([
    ['more than it may', 200, { 'content-length': 2 ** 30 }, /the answer has 1073741824 bytes/],
    ['brackets without an end', 500, {}, /status 500 \(<{160}…\)/],
  ])('answers %s', async (_what, status, headers, message) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, headers).write('<'.repeat(300_000));
      if (status === 500) response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const error = await errorOf(connect(`http://127.0.0.1:${port}`).describe(soon()));
    expect([error.code, error.message]).toEqual(['HOST_FAILED', expect.stringMatching(message)]);
  });

  it('leads elsewhere', async () => {
    const servers = [
      createServer((_request, response) => void response.end('<h1>hello</h1>')),
      createServer((_request, response) => void response.writeHead(302, { location: urls[0] }).end()),
    ];
    onTestFinished(() => servers.forEach((server) => void server.close()));
    for (const server of servers)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const urls = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const error = await errorOf(connect(urls[1]!).describe(soon()));
    expect([error.code, error.message]).toEqual([
      'HOST_UNKNOWN',
      expect.stringContaining(`by a redirect to ${urls[0]}, with`),
    ]);
  });

  it('does not describe its routes: it is used all the same, and says so', async () => {
    const { host } = await fakeWithHost({
      fault: (_method, path) => (path === '/openapi.json' ? { status: 404, body: 'no' } : undefined),
    });
    const { notes, previews } = await host.describe(soon());
    expect(previews).toBe('Approx NN');
    expect(notes.join()).toContain('does not describe its routes');
    expect((await runOf(host, pictures())).images).toHaveLength(1);
  });

  it('is away: told at once', async () => {
    const { webui, host } = await fakeWithHost();
    await webui.down();
    expect((await errorOf(host.submit(pictures(), soon()))).code).toBe('HOST_UNREACHABLE');
  });

  it('lacks a route of its fork', async () => {
    const { host } = await fakeWithHost({
      fault: (_method, path) =>
        path === '/sdapi/v1/img2img' ? { status: 404, body: '{"detail":"Not Found"}' } : undefined,
    });
    const error = await errorOf(host.submit({ ...pictures(), init_images: ['AAAA'] }, soon()));
    expect(error.message).toContain('it has no route /sdapi/v1/img2img');
  });
});

describe('an answer', () => {
  it('that comes late is waited for, however long', async () => {
    const { host } = await fakeWithHost({}, { tuning: { requestMs: 100 } });
    const run = await runOf(host, slow({ steps: 10, ms: 60 }));
    expect([run.status, run.images.length]).toEqual(['success', 1]);
  });

  it('of a failed run gives the words of the host', async () => {
    const { host } = await fakeWithHost({
      fault: ofRuns({
        status: 500,
        body: '{"error":"OutOfMemoryError","detail":"","errors":"CUDA out of memory"}',
      }),
    });
    const run = await runOf(host, pictures());
    expect([run.status, run.error]).toEqual(['error', 'status 500: OutOfMemoryError: CUDA out of memory']);
  });

  it('that is cut off is a lost run', async () => {
    const { host } = await fakeWithHost({ fault: ofRuns('cut') });
    expect((await errorOf(runOf(host, pictures()))).code).toBe('PROMPT_LOST');
  });

  it('of a host that limits requests is waited for', async () => {
    const { webui, host } = await fakeWithHost({
      fork: 'sdnext',
      fault: ofRuns({ status: 429, headers: { 'retry-after': '0' } }, 2),
    });
    expect((await runOf(host, pictures())).status).toBe('success');
    expect(webui.seen.filter(({ path }) => path.endsWith('txt2img'))).toHaveLength(3);
  });

  it('without a picture, and with nothing to say, is an error', async () => {
    const { host } = await fakeWithHost({ fork: 'sdnext', hasModel: false });
    const run = await runOf(host, pictures());
    expect([run.status, run.error]).toEqual(['error', expect.stringContaining('no model is loaded')]);
  });

  it('that is no JSON is not taken for one', async () => {
    const { host } = await fakeWithHost({ fault: ofRuns({ status: 200, body: '<html>' }) });
    expect((await errorOf(runOf(host, pictures()))).code).toBe('HOST_UNKNOWN');
  });
});

describe('pictures of an answer', () => {
  it.each([true, false])('are told from the grid before them (their texts in them: %s)', async (hasTexts) => {
    const { host } = await fakeWithHost({ hasGrid: true, hasTexts }, { findPrompt: seedOf });
    const run = await runOf(host, pictures({ count: 3, seed: 50 }));
    expect(run.images.map(({ prompt }) => prompt?.prompt)).toEqual(['50', '51', '52']);
  });

  it.each([true, false])('are told from the masks among them (their texts in them: %s)', async (hasTexts) => {
    const { host } = await fakeWithHost({ hasTexts }, { findPrompt: seedOf });
    const body = { ...pictures({ count: 2, seed: 60 }), init_images: ['AAAA'], mask: 'AAAA' };
    const run = await runOf(host, body);
    expect(run.images.map(({ prompt }) => prompt?.prompt)).toEqual(['60', '61']);
    const sizes = await Promise.all(
      run.images.map(async (image) => (await host.fetchFile(image, soon())).length),
    );
    expect(Math.min(...sizes)).toBeGreaterThan(300);
  });

  it('have neighbours by their variation seed', async () => {
    const { host } = await fakeWithHost();
    const near = { ...pictures({ count: 2, seed: 70 }), subseed: 5, subseed_strength: 0.2 };
    const [a, b] = (await runOf(host, near)).images;
    expect(await host.fetchFile(a!, soon())).not.toEqual(await host.fetchFile(b!, soon()));
  });
});

/** The seed of an infotext in place of its prompt. */
const seedOf = (made: object) => {
  const prompt = 'infotext' in made ? (/Seed: (\d+)/.exec(String(made.infotext))?.[1] ?? null) : null;
  return { prompt, negative: null, from: null, original: null, certain: true, reason: null };
};

describe('an interrupt', () => {
  it.each(['forge', 'sdnext', 'nowebui'] as const)(
    'of ours ends our run, and its half-done picture is dropped (%s)',
    async (fork) => {
      const { webui, host } = await fakeWithHost({ fork });
      const { id } = await host.submit(slow({ steps: 200 }), soon());
      await until('it runs', () => webui.worker.state.sampling_step > 2);
      expect(await host.cancel(id, soon())).toBe(true);
      expect(endOf(await follow(host, id))).toMatchObject({ status: 'interrupted', images: [] });
      expect(webui.worker.state.sampling_step).toBeLessThan(150);
    },
  );

  it.each(['forge', 'sdnext', 'nowebui'] as const)("never hits another client's job (%s)", async (fork) => {
    const { webui, host } = await fakeWithHost({ fork }, { tuning: { refusalMs: 300 } });
    const other = byOther(webui.url, slow({ steps: 60, ms: 20 }));
    await until('theirs runs', () => webui.worker.state.sampling_step > 1);
    const { id } = await host.submit(slow({ steps: 60, ms: 10 }), soon());
    await until('ours waits', () => webui.worker.pending.length === 1);
    expect(await host.cancel(id, soon())).toBe(true);
    const theirs = (await (await other).json()) as { images: string[] };
    expect(theirs.images).toHaveLength(1);
    const interrupts = () => webui.seen.filter(({ path }) => path === '/sdapi/v1/interrupt').length;
    const run = endOf(await follow(host, id));
    expect([run.status, run.images]).toEqual(['interrupted', []]);
    // Where it is not told whose job runs, ours goes on to its end.
    expect(interrupts()).toBe(fork === 'forge' ? 1 : 0);
  });

  it('is sent before a cancel returns, so that a program may end right after it', async () => {
    const { webui, host } = await fakeWithHost({}, { tuning: { progressMs: 60_000 } });
    const { id } = await host.submit(slow({ steps: 200 }), soon());
    await until('it runs', () => webui.worker.state.sampling_step > 2);
    await host.cancel(id, soon());
    expect(webui.worker.state.interrupted).toBe(true);
  });

  it('by somebody at the web UI gives no picture either', async () => {
    const { webui, host } = await fakeWithHost();
    const { id } = await host.submit(slow({ steps: 200 }), soon());
    await until('it runs', () => webui.worker.state.sampling_step > 2);
    webui.worker.interrupt();
    expect(endOf(await follow(host, id))).toMatchObject({ status: 'interrupted', images: [] });
  });

  it('that leaves a preview in place of the picture is noticed by its size', async () => {
    const { webui, host } = await fakeWithHost(
      {
        fork: 'sdnext',
        // Its progress tells nothing.
        fault: (_method, path) => (path === '/sdapi/v1/progress' ? { status: 429 } : undefined),
      },
      { tuning: { patienceMs: 50 } },
    );
    const { id } = await host.submit(slow({ steps: 200 }), soon());
    await until('it runs', () => webui.worker.state.sampling_step > 2);
    webui.worker.interrupt();
    expect(endOf(await follow(host, id))).toMatchObject({ status: 'interrupted', images: [] });
  });
});

describe('manners', () => {
  it('looks at a run a few times a second, and asks for a preview only once', async () => {
    const { webui, host } = await fakeWithHost({}, { tuning: { progressMs: 300 } });
    const events = await follow(host, (await host.submit(slow({ steps: 20, ms: 60 }), soon())).id);
    const looks = webui.seen.filter(({ path }) => path === '/internal/progress');
    expect(looks.length).toBeLessThanOrEqual(7);
    expect(looks.length).toBeGreaterThan(1);
    const previews = events.filter(({ kind }) => kind === 'preview');
    expect(previews.length).toBeLessThanOrEqual(looks.length);
  });

  it('gives one request at a time, so that the others can be taken back', async () => {
    const { webui, host } = await fakeWithHost();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await host.submit(slow({ steps: 6 }), soon())).id);
    expect(webui.worker.pending).toEqual([]);
    expect(await host.cancel(ids[1]!, soon())).toBe(true);
    expect(endOf(await follow(host, ids[2]!)).status).toBe('success');
    expect(webui.seen.filter(({ path }) => path.endsWith('txt2img'))).toHaveLength(2);
  });
});
