/** `assay mcp` as an agent meets it: the client of the protocol's own library, on the streams of the real command. */
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { outcomeOf, start } from '../support/cli.ts';
import { startFake } from '../support/comfyui/fake.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import { askedIn, seeded, toldIn } from '../support/studying.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

/** A picture of that brightness with something on it; `test-bright` scores brightness. */
const grey = (level: number): Promise<Buffer> =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: { r: level, g: level, b: level } } })
    .composite([
      {
        input: Buffer.from('<svg width="64" height="64"><circle cx="32" cy="32" r="20" fill="#468"/></svg>'),
      },
    ])
    .png()
    .toBuffer();

interface Answered {
  isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: what tools answer is looked into field by field
  body: any;
  pictures: { data: string; mimeType: string }[];
}

async function setUp(more: string[] = [], files: Record<string, Buffer | string> = {}) {
  const folder = tempFolder();
  const [images, models] = [join(folder, 'images'), join(folder, 'models')];
  mkdirSync(images);
  writeModel(models);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(images, name), bytes);
  const scorer = ['--models', models, '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
  const args = ['mcp', '--allow', images, ...scorer, ...more];
  return { folder, images, args };
}

async function connect(args: string[]) {
  const transport = new StdioClientTransport({
    ...{ command: process.execPath, args: [CLI, ...args], stderr: 'pipe' },
    env: { ...(process.env as Record<string, string>) },
  });
  const client = new Client({ name: 'test', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(transport);
  const call = async (name: string, input: object = {}): Promise<Answered> => {
    const answer: unknown = await client.callTool({ name, arguments: input as Record<string, unknown> });
    const { content, isError = false } = answer as {
      content: ({ text: string } & Answered['pictures'][0])[];
      isError?: boolean;
    };
    const [text, ...pictures] = content;
    return { isError, body: JSON.parse(text!.text), pictures };
  };
  /** Begins a search, and waits until it makes images or has ended. */
  const search = async (input: object): Promise<Answered> => {
    let answer = await call('start_search', input);
    for (let waits = 0; answer.body.state === 'starting' && waits < 10; waits++)
      answer = await call('search_status', { id: answer.body.id, waitSeconds: 5 });
    return answer;
  };
  return { client, call, search, pid: transport.pid! };
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('assay mcp', { timeout: 120_000 }, () => {
  it('names its tools with schemas, and scores, picks, and remembers', async () => {
    const { images, args } = await setUp([], {
      'dark.png': await grey(60),
      'light.png': await grey(200),
      'middle.png': await grey(120),
      'broken.png': 'no image',
      'notes.txt': 'hello',
    });
    const { client, call } = await connect(args);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      ...['score_images', 'pick_best', 'read_history', 'find_prompt', 'list_scorers'],
      ...['start_search', 'start_refinement', 'search_status', 'stop_search'],
    ]);
    for (const { description, inputSchema } of tools) {
      expect(description).toMatch(/\.$/);
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    }

    const scored = await call('score_images', { paths: ['.'], limit: 2 });
    expect(scored.isError).toBe(false);
    expect(scored.body).toMatchObject({ found: 4, scored: 3, failed: 1, scorer: 'test-bright 1.0.0' });
    expect(scored.body.images.map(({ image }: { image: string }) => image)).toEqual([
      'light.png',
      'middle.png',
    ]);
    expect(`${scored.body.images[0].reward}`).toMatch(/^0\.\d{1,3}$/);
    expect(scored.body.notListed).toMatch(/^2 more/);
    expect(scored.body.notes.join()).toContain('skipped 1 file: 1 .txt');

    const best = await call('pick_best', { paths: [images], keep: 1, by: 'quality', thumbnails: true });
    expect(best.body.best).toMatchObject([{ image: 'light.png' }]);
    expect(best.body.nextBest.image).toBe('middle.png');
    expect(best.body).toMatchObject({ withoutNumber: 1, why: [{ error: { code: 'IMAGE_UNSUPPORTED' } }] });
    const { format, width } = await sharp(Buffer.from(best.pictures[0]!.data, 'base64')).metadata();
    expect([best.pictures.length, best.pictures[0]!.mimeType, format, width]).toEqual([
      1,
      'image/webp',
      'webp',
      64,
    ]);

    const steps: { progress: number; total?: number }[] = [];
    const onprogress = (step: (typeof steps)[0]) => void steps.push(step);
    const params = { name: 'score_images', arguments: { paths: ['.'] } };
    await client.callTool(params, undefined, { onprogress });
    // What comes together with the answer, the client may drop.
    expect(steps[0]).toEqual({ progress: 0, total: 4 });

    // What came or went since the first call moves no image to another place.
    writeFileSync(join(images, 'a-new.png'), await grey(90));
    const rest = await call('score_images', { paths: ['.'], from: 3 });
    expect(rest.body).toMatchObject({ found: 4, scored: 1, images: [{ image: 'middle.png' }] });
    const beyond = await call('score_images', { paths: ['.'], from: 4 });
    expect(beyond.body.error).toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('from: 4; the last of 4 images is 3'),
    });
    rmSync(join(images, 'light.png'));
    symlinkSync('/etc/hostname', join(images, 'light.png'));
    rmSync(join(images, 'middle.png'));
    const gone = await call('score_images', { paths: ['.'], from: 2 });
    expect(gone.body).toMatchObject({ found: 4, scored: 0, failed: 2 });
    expect(gone.body.refused.map(({ code }: { code: string }) => code)).toEqual([
      'PATH_NOT_ALLOWED',
      'FILE_NOT_FOUND',
    ]);
    expect((await call('score_images', { paths: ['.'] })).body).toMatchObject({ found: 3, scored: 2 });

    const missing = await call('pick_best', { paths: ['dark.png'], by: 'authenticity' });
    expect([missing.isError, missing.body.error.code]).toEqual([true, 'MEASURE_MISSING']);

    await expect
      .poll(async () => (await call('read_history', { limit: 50 })).body.entries.length)
      .toBeGreaterThanOrEqual(3);
    const { body } = await call('read_history', { limit: 2 });
    expect(body.entries[0]).toMatchObject({ client: 'mcp', at: expect.stringMatching(/^\d{4}-/) });
    expect(body.next).toEqual(expect.any(String));
    expect((await call('list_scorers')).body.scorers).toContainEqual(
      expect.objectContaining({ id: 'test-bright', default: true, aspects: ['quality'] }),
    );
  });

  it('opens nothing outside its folders, by whatever name', async () => {
    const { folder, images, args } = await setUp([], { 'a.png': await grey(90) });
    mkdirSync(join(folder, 'images-too'));
    for (const place of ['secret.png', 'images-too/secret.png'])
      writeFileSync(join(folder, place), await grey(200));
    symlinkSync(join(folder, 'secret.png'), join(images, 'link.png'));
    symlinkSync(folder, join(images, 'up'));
    const { call } = await connect(args);
    const names = ['../secret.png', join(folder, 'secret.png'), 'link.png', 'up/secret.png', 'up', '/etc'];
    for (const name of [...names, '../images-too/secret.png', '../absent.png', 'a\0.png', '~/x']) {
      const { body } = await call('score_images', { paths: [name] });
      const refused = (body.refused as { code: string }[]).map(({ code }) => code);
      expect([name, refused, body.images]).toEqual([
        name,
        [name === '~/x' ? 'FILE_NOT_FOUND' : 'PATH_NOT_ALLOWED'],
        [],
      ]);
      const prompt = await call('find_prompt', { path: name });
      expect([prompt.isError, prompt.body.error.code]).toEqual([true, refused[0]]);
      const search = await call('start_search', { workflow: name });
      expect([search.isError, search.body.error.code]).toEqual([true, refused[0]]);
    }
    const all = await call('score_images', { paths: ['.', 'absent.png', '-', '*.png'] });
    expect(all.body.images).toMatchObject([{ image: 'a.png' }]);
    expect(all.body.notes.join()).toContain('2 left out: links that lead outside the allowed folders');
    expect(all.body.refused.map(({ code }: { code: string }) => code)).toEqual(
      Array(3).fill('FILE_NOT_FOUND'),
    );
    const out = await call('start_search', { workflow: 'a.png', out: '../there' });
    expect(out.body.error.code).toBe('PATH_NOT_ALLOWED');
  });

  it('answers what makes no sense with a code, and goes on', async () => {
    const { args } = await setUp();
    const { call } = await connect(args);
    const wrong: [string, object, string, RegExp][] = [
      ['score_images', {}, 'BAD_REQUEST', /paths: /],
      ['score_images', { paths: ['a'], limit: 999 }, 'BAD_REQUEST', /limit: /],
      ['score_images', { path: ['a'] }, 'BAD_REQUEST', /unknown field "path"; did you mean "paths"/],
      ['score_images', { paths: ['.'] }, 'NO_IMAGES', /no image/],
      ['search_status', {}, 'SEARCH_UNKNOWN', /none was started/],
      ['start_search', {}, 'BAD_REQUEST', /workflow, or resume/],
      ['read_history', { since: 'yesterday' }, 'BAD_REQUEST', /since: /],
      ['no_such_tool', {}, 'TOOL_UNKNOWN', /score_images/],
    ];
    for (const [tool, input, code, words] of wrong) {
      const { isError, body } = await call(tool, input);
      expect([tool, isError, body.error.code]).toEqual([tool, true, code]);
      expect(body.error.message).toMatch(words);
      expect(body.error.fix).not.toMatch(/^$|openapi/);
    }
    expect((await call('score_images', { paths: ['absent.png'] })).body.refused[0].code).toBe(
      'FILE_NOT_FOUND',
    );
  });

  it('ends when the standard input closes, and writes nothing but the protocol', async () => {
    const { args } = await setUp([], { 'a.png': await grey(90) });
    const messages = [
      {
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
      },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/list' },
    ];
    const input = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');
    const { code, stdout, stderr } = await outcomeOf(
      start(args, { input: Buffer.from(`${input}no JSON\n`) }),
    );
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ id }) => id)).toEqual([1, 2]);
    expect(stderr).toMatch(/JSON/);
  });

  it('is refused a folder that is not there', async () => {
    const { folder } = await setUp();
    const { code, stderr } = await outcomeOf(start(['mcp', '--allow', join(folder, 'absent')]));
    expect([code, stderr]).toEqual([2, expect.stringContaining('FILE_NOT_FOUND')]);
  });

  it('searches in the background: tells how it stands, stops, goes on, and leaves no process behind', async () => {
    const fake = await startFake();
    onTestFinished(() => fake.stop());
    const workflow = JSON.stringify(seeded({ ms: 20 }));
    const { images, args } = await setUp(['--comfyui', fake.url], { 'workflow.json': workflow });
    const { client, call, search, pid } = await connect(args);
    const plan = { workflow: 'workflow.json', images: 40, keep: 2, by: 'quality', seed: 7, out: 'found' };
    const begun = await search({
      ...plan,
      vary: { '3.strength': [0.2, 0.3], '2.steps': { low: 1, high: 3 } },
    });
    expect(begun.body).toMatchObject({ id: 's1', state: 'running', folder: 'found', trials: { failed: 0 } });
    expect(begun.body.said.join()).toContain('seeds: 3.seed');
    await expect
      .poll(async () => (await call('search_status', { waitSeconds: 5 })).body.trials.told, {
        timeout: 30_000,
      })
      .toBeGreaterThan(2);
    const stopped = await call('stop_search', { id: 's1' });
    expect(stopped.body).toMatchObject({
      state: 'stopped',
      bestSoFar: { by: 'quality' },
      result: { wanted: 2 },
    });
    expect(stopped.body.result.winners[0].path).toMatch(/^found[/\\]winners[/\\]1-t/);
    const told = toldIn(join(images, 'found')).length;
    expect((await search(plan)).body).toMatchObject({
      state: 'failed',
      error: { code: 'STUDY_EXISTS' },
    });
    const again = await search({ resume: 'found' });
    expect(again.body).toMatchObject({ id: 's3', state: 'running' });
    await expect.poll(() => toldIn(join(images, 'found')).length, { timeout: 30_000 }).toBeGreaterThan(told);
    await client.close();
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
    expect(readdirSync(join(images, 'found'))).toContain('report.html');
    const held = toldIn(join(images, 'found')).length;
    expect(held).toBeLessThan(40);
  });

  it('says at once what keeps a search from beginning, and keeps texts with commas whole', async () => {
    const fake = await startFake();
    onTestFinished(() => fake.stop());
    const { images, args } = await setUp(['--comfyui', fake.url], {
      'workflow.json': JSON.stringify(seeded()),
      'other.json': '{"nodes": [], "links": []}',
    });
    const { call, search } = await connect(args);
    const editor = await search({ workflow: 'other.json' });
    expect(editor.body).toMatchObject({
      state: 'failed',
      error: { code: expect.stringMatching(/^WORKFLOW_/) },
    });
    const strategy = await search({ workflow: 'workflow.json', strategy: 'luck' });
    expect(strategy.body).toMatchObject({ state: 'failed', error: { code: 'STUDY_INVALID' } });
    const vary = { '9.filename_prefix': ['a, b', '@home'] };
    await call('start_search', {
      workflow: 'workflow.json',
      images: 2,
      out: 'texts',
      vary,
      prompt: '--none',
    });
    await expect
      .poll(async () => (await call('search_status', { waitSeconds: 5 })).body.state, { timeout: 30_000 })
      .toBe('ended');
    for (const { parameters } of askedIn(join(images, 'texts')))
      expect(['a, b', '@home']).toContain(parameters['9.filename_prefix']);
  });
});
