/** The daemon end to end: the real command, real sockets, a real graph, a real database. */
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Packr } from 'msgpackr';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { createLog, type Log } from '../../src/log.ts';
import { openCatalog } from '../../src/reward/model/catalog.ts';
import type { Scorer } from '../../src/reward/scorer.ts';
import { assay, serve, start } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png, toSharp } from '../support/images.ts';
import { meanGraph, type TestModel, writeModel } from '../support/models.ts';

const packr = new Packr({ useRecords: false });

function flags(folder = tempFolder()): string[] {
  writeModel(join(folder, 'models'));
  return ['--models', join(folder, 'models'), '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
}

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
type Json = any;

async function post(url: string, body: unknown): Promise<{ status: number; body: Json }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

const image = async () => (await png(picture(64, 64))).toString('base64');

describe('the daemon', () => {
  it('scores, ranks, records, and stops cleanly', async () => {
    const { url, stop } = await serve(flags());
    const scored = await post(`${url}/v1/score`, {
      items: [{ id: 'x', prompt: 'a cat', image: await image() }],
    });
    expect(scored.status).toBe(200);
    expect(scored.body.results[0]).toMatchObject({
      id: 'x',
      decision: 'accept',
      scorer: { id: 'test-bright' },
    });
    const ranked = await post(`${url}/v1/rank`, { items: [{ image: 'AAAA' }, { image: await image() }] });
    expect(ranked.body).toMatchObject({ order: [1, 0], best: 1 });
    const history: Json = await (await fetch(`${url}/v1/history?limit=10`)).json();
    expect(history.entries).toHaveLength(3);
    const kept = history.entries.find((e: { result: { id: string } }) => e.result.id === 'x');
    expect(kept.result).toEqual(scored.body.results[0]);
    expect(await stop()).toBe(0);
  });

  it('lists what is refused beside what serves, with the reason', async () => {
    const folder = tempFolder();
    const args = flags(folder);
    const broken = writeModel(join(folder, 'models'), {
      id: 'test-broken',
      edit: (m) => Object.assign(m, { aspects: 5 }),
    });
    const { url } = await serve(args);
    const listed: Json = await (await fetch(`${url}/v1/scorers`)).json();
    expect(listed.scorers.map((s: { id: string }) => s.id)).not.toContain('test-broken');
    expect(listed.refused).toEqual([
      {
        ...{ id: 'test-broken', folder: broken, state: 'refused' },
        error: {
          code: 'MANIFEST_INVALID',
          message: expect.stringContaining('aspects'),
          fix: expect.any(String),
        },
      },
    ]);
  });

  it('finds the prompt in the workflow of a request, then in the file, unless one is given or told otherwise', async () => {
    const { url } = await serve(flags());
    const graph = {
      '3': { class_type: 'KSampler', inputs: { positive: ['6', 0] } },
      '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a (red:1.2) fox' } },
      '9': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
    };
    const workflow = { graph, node: '9' };
    const written = {
      IFD0: { ImageDescription: 'an owl\nNegative prompt: ugly\nSteps: 2, Sampler: Euler, Seed: 1' },
    };
    const bytes = await toSharp(picture(64, 64)).withExif(written).jpeg().toBuffer();
    const asked = async (more: object) => {
      const items = [{ image: bytes.toString('base64') }];
      const { prompt, promptSource, notes } = (await post(`${url}/v1/score`, { items, ...more })).body
        .results[0];
      return { prompt, from: promptSource?.from ?? null, original: promptSource?.original ?? null, notes };
    };
    const place = { from: 'workflow node 6 (CLIPTextEncode)', original: 'a (red:1.2) fox', notes: [] };
    expect(await asked({ workflow })).toEqual({ prompt: 'a red fox', ...place });
    expect(await asked({})).toEqual({
      prompt: 'an owl',
      from: 'EXIF ImageDescription',
      original: null,
      notes: [],
    });
    expect(await asked({ promptFromFile: false })).toMatchObject({ prompt: null, from: null });
    expect(await asked({ workflow: { graph, node: '77' } })).toMatchObject({ prompt: 'an owl' });
    expect(await asked({ prompt: 'a [cat]', workflow })).toMatchObject({ prompt: 'a cat', from: 'request' });
    expect(await asked({ prompt: null, workflow })).toMatchObject({ prompt: null, from: null, notes: [] });
    expect(await asked({ prompt: ' 🦊 ', workflow })).toMatchObject({
      prompt: null,
      notes: ['prompt: the prompt has no words'],
    });
    const told = (await post(`${url}/v1/prompt`, { workflow })).body;
    expect(told).toEqual({
      ...place,
      prompt: 'a red fox',
      negative: null,
      certain: true,
      reason: null,
      notes: undefined,
    });
    expect((await post(`${url}/v1/prompt`, { image: bytes.toString('base64') })).body).toMatchObject({
      prompt: 'an owl',
      negative: 'ugly',
    });
  });

  it('repeats no more of a prompt than is judged: many images share it, and each is recorded', async () => {
    const { url } = await serve(flags());
    const graph = {
      '3': { class_type: 'KSampler', inputs: { positive: ['6', 0] } },
      '6': { class_type: 'CLIPTextEncode', inputs: { text: `(a cat:1.2) ${'and a cat '.repeat(15_000)}` } },
      '9': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
    };
    const items = [{ id: 'good', image: await image() }, { id: 'bad', image: 'AAAA' }, { image: '!' }];
    const asked = async (more: object): Promise<Json[]> =>
      (await post(`${url}/v1/score`, { items, ...more })).body.results;
    const given = await asked({ prompt: `(a cat:1.2) ${'and a cat '.repeat(50_000)}` });
    for (const results of [given, await asked({ workflow: { graph, node: '9' } })]) {
      for (const result of results) expect(JSON.stringify(result).length).toBeLessThan(20_000);
      expect(results[0].prompt).toMatch(/^a cat( and a cat)+/);
      expect(results[0].prompt).toHaveLength(8000);
      expect(results[0].promptSource).toMatchObject({
        original: expect.stringMatching(/^\(a cat:1\.2\) .*…$/),
        certain: false,
        reason: 'only its first 8000 characters are read',
      });
      expect(results[0].notes).toContain('prompt: only its first 8000 characters are read');
    }
    const history = await (await fetch(`${url}/v1/history?limit=10`)).text();
    expect(history.length).toBeLessThan(6 * 20_000);
    const long = 'a cat '.repeat(1000).trim(); // as long as people write
    expect((await asked({ prompt: long }))[0]).toMatchObject({
      prompt: long,
      promptSource: { certain: true },
    });
  });

  it('scores with the version that a request names', async () => {
    const folder = tempFolder();
    const args = flags(folder);
    const strict: TestModel['edit'] = (m) => {
      m.domain = { output: 'mean', limit: 1, reason: 'bright' };
    };
    // Same weights, same calibration: what is remembered of one version must not answer for the other.
    writeModel(join(folder, 'models'), { graph: meanGraph });
    writeModel(join(folder, 'models'), { graph: meanGraph, version: '2.0.0', edit: strict });
    const { url } = await serve(args);
    const { scorers }: Json = await (await fetch(`${url}/v1/scorers`)).json();
    const own = scorers.filter((s: { id: string }) => s.id === 'test-bright');
    expect(own).toMatchObject([
      { version: '2.0.0', default: true },
      { version: '1.0.0', default: false },
    ]);
    const items = [{ image: await image() }];
    const decisionOf = async (scorer: string | undefined) => {
      const { body } = await post(`${url}/v1/score`, { scorer, items });
      const [result] = body.results;
      return [result.scorer.version, result.decision];
    };
    expect(await decisionOf('test-bright@1.0.0')).toEqual(['1.0.0', 'accept']);
    expect(await decisionOf('test-bright@2.0.0')).toEqual(['2.0.0', 'reject']);
    expect(await decisionOf('test-bright')).toEqual(['2.0.0', 'reject']);
    expect(await decisionOf(undefined)).toEqual(['2.0.0', 'reject']);
    const { entries }: Json = await (await fetch(`${url}/v1/history?scorer=test-bright`)).json();
    const versions = entries.map((e: { result: { scorer: { version: string } } }) => e.result.scorer.version);
    expect(versions).toEqual(['2.0.0', '2.0.0', '2.0.0', '1.0.0']);
    const unknown = await post(`${url}/v1/score`, { scorer: 'test-bright@3.0.0', items });
    expect(unknown.status).toBe(404);
    expect(unknown.body.error).toMatchObject({
      code: 'UNKNOWN_SCORER',
      message: expect.stringContaining('test-bright@2.0.0, test-bright@1.0.0'),
    });
  });

  it('tells at its start which model folders it refuses', async () => {
    const folder = tempFolder();
    flags(folder);
    writeFileSync(join(writeModel(join(folder, 'models'), { id: 'test-broken' }), 'manifest.json'), '{}');
    const warnings: string[] = [];
    const log = { ...createLog('silent'), warn: (text: string) => warnings.push(text) } as unknown as Log;
    const config = loadConfig({ port: 0, dataDir: join(folder, 'data'), scorer: 'test-bright' });
    const catalog = openCatalog({ ...config, modelDirs: [join(folder, 'models')], defaultId: 'test-bright' });
    const daemon = await startDaemon({ config, catalog, version: '1.0.0', log });
    await daemon.ready;
    await daemon.close();
    expect(warnings[0]).toMatch(/^a scorer is left out: .*test-broken.manifest\.json/);
  });

  it('tells of a model folder that was copied in part', async () => {
    const folder = tempFolder();
    const args = flags(folder);
    rmSync(join(writeModel(join(folder, 'models'), { id: 'test-part' }), 'manifest.json'));
    const { url } = await serve(args);
    const { refused }: Json = await (await fetch(`${url}/v1/scorers`)).json();
    expect(refused).toMatchObject([{ id: 'test-part', error: { code: 'MANIFEST_INVALID' } }]);
    expect(refused[0].error.message).toContain('no manifest.json');
  });

  it('logs no line with its token, wherever a client puts it', async () => {
    const token = 'correct-horse-battery';
    const child = start(['serve', '--port', '0', '--log-level', 'info', '--token', token, ...flags()]);
    let log = '';
    child.stderr!.on('data', (chunk) => {
      log += chunk;
    });
    const closed = once(child, 'close');
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const headers = { authorization: `Bearer ${token}`, 'x-assay-client': token, 'content-type': token };
    await fetch(`${/http:\S+/.exec(line)![0]}/v1/score`, { method: 'POST', headers, body: 'x' });
    child.kill('SIGTERM');
    await closed;
    expect(log).toContain('UNSUPPORTED_CONTENT_TYPE');
    expect(log).not.toContain(token);
  });

  it('goes on scoring when the history cannot be written, and says so', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'data'), 'a file where the folder should be');
    const { url, stop } = await serve(flags(folder));
    const { body } = await post(`${url}/v1/score`, { items: [{ image: await image() }] });
    expect(body.results[0].error).toBeNull();
    const history = await fetch(`${url}/v1/history`);
    expect([history.status, history.headers.has('retry-after')]).toEqual([503, true]);
    expect(((await history.json()) as Json).error.code).toBe('STORE_UNAVAILABLE');
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^assay_history_ok 0$/m);
    expect(await stop()).toBe(0);
  });

  it('answers past the deadline with what is finished, and records that once', async () => {
    const folder = tempFolder();
    writeModel(join(folder, 'models'));
    const limits = { requestTimeoutMs: 1500 };
    const config = loadConfig(
      { port: 0, scorer: 'test-bright', dataDir: join(folder, 'data'), logLevel: 'error', limits },
      undefined,
      {},
    );
    const real = openCatalog({ ...config, modelDirs: [join(folder, 'models')], defaultId: 'test-bright' });
    const judgeUnlessStuck =
      (scorer: Scorer): Scorer['judge'] =>
      (pixels, prompt, signal) =>
        prompt === 'stuck' ? new Promise(() => {}) : scorer.judge(pixels, prompt, signal);
    const open = async (name?: string) => {
      const scorer = await real.open(name);
      const { stamp, domain, manifest, provider, notes } = scorer;
      return { ...scorer, stamp, domain, manifest, provider, notes, judge: judgeUnlessStuck(scorer) };
    };
    const daemon = await startDaemon({ config, catalog: { ...real, open }, version: '1.0.0' });
    onTestFinished(() => daemon.close());
    await daemon.ready;
    const items = [{ image: await image() }, { image: await image(), prompt: 'stuck' }];
    const { status, body } = await post(`${daemon.url}/v1/score`, { items });
    expect([status, body.results.map((r: Json) => r.error?.code)]).toEqual([200, [undefined, 'DEADLINE']]);
    const again = await post(`${daemon.url}/v1/score`, { items: items.slice(1) });
    expect([again.status, again.body.error.code]).toEqual([503, 'DEADLINE']);
    const { entries }: Json = await (await fetch(`${daemon.url}/v1/history`)).json();
    expect(entries.map((e: Json) => e.result.id)).toEqual(['0']);
  });

  it('keeps the history over a restart', async () => {
    const args = flags();
    const first = await serve(args);
    await post(`${first.url}/v1/score`, { items: [{ id: 'kept', image: await image() }] });
    expect(await first.stop()).toBe(0);
    const second = await serve(args);
    const { entries }: Json = await (await fetch(`${second.url}/v1/history`)).json();
    expect(entries.map((e: { result: { id: string } }) => e.result.id)).toEqual(['kept']);
  });

  it('scores raw pixels over the websocket', async () => {
    const { url } = await serve(flags());
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'assay.v1.msgpack');
    await new Promise((resolve) => socket.once('open', resolve));
    const { data, width, height } = picture(128, 96);
    const items = [{ id: 'raw', image: { format: 'rgb8', width, height, data } }];
    const answered = new Promise<Buffer>((resolve) => socket.once('message', resolve));
    socket.send(packr.pack({ id: '1', op: 'score', items }));
    const answer = packr.unpack(await answered);
    expect(answer).toMatchObject({
      id: '1',
      ok: true,
      results: [{ id: 'raw', width: 128, height: 96, error: null }],
    });
    socket.close();
  });

  it.each<[string, string[], RegExp]>([
    ['an unknown scorer', ['--scorer', 'nope'], /no scorer "nope".*installed are/],
    ['a wide address without a token', ['--host', '0.0.0.0'], /needs a token[\s\S]*--token/],
    [
      'an address that is not ours',
      ['--host', '203.0.113.7', '--token', 'long-enough-token'],
      /cannot listen on 203\.0\.113\.7/,
    ],
    ['a token that is too short', ['--token', 'short'], /token/],
  ])('refuses to start with %s', async (_name, args, message) => {
    const { code, stderr } = await assay([
      'serve',
      '--port',
      '0',
      '--log-level',
      'silent',
      ...flags(),
      ...args,
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('says so when the port is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    const { code, stderr } = await assay([
      'serve',
      '--port',
      String(port),
      '--log-level',
      'silent',
      ...flags(),
    ]);
    // before it looks for a scorer
    const early = await assay(['serve', '--port', String(port), '--scorer', 'nowhere']);
    blocker.close();
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('PORT_IN_USE')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken[\\s\\S]*--port`));
  });
});
