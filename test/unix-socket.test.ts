/** `assay serve --socket`: the daemon on a unix socket, through the real command. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { assay, serve } from './support/cli.ts';
import { tempFolder } from './support/files.ts';
import { picture, png } from './support/images.ts';
import { writeModel } from './support/models.ts';

function flags(folder: string): string[] {
  writeModel(join(folder, 'models'));
  return ['--models', join(folder, 'models'), '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
}

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
type Json = any;

function ask(
  socketPath: string,
  path: string,
  body?: object,
  headers = {},
): Promise<{ status: number; body: Json }> {
  return new Promise((resolve, reject) => {
    const method = body ? 'POST' : 'GET';
    const all = { 'content-type': 'application/json', ...headers };
    const outgoing = httpRequest({ socketPath, path, method, headers: all, agent: false }, (response) => {
      json(response).then((answer) => resolve({ status: response.statusCode!, body: answer }), reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

describe.skipIf(process.platform === 'win32')('a daemon on a unix socket', () => {
  it('scores over HTTP and websocket, for its owner alone, and takes the file away at its end', async () => {
    const folder = tempFolder();
    const path = join(folder, 'assay.sock');
    const { url, stop } = await serve([...flags(folder), '--socket', path]);
    expect(url).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const image = (await png(picture(64, 64))).toString('base64');
    const { body } = await ask(path, '/v1/score', { items: [{ id: 'x', image }] }, { host: 'any.name' });
    expect(body.results[0]).toMatchObject({ id: 'x', error: null });
    const ws = new WebSocket(`ws+unix:${path}:/v1/ws`, 'assay.v1.json');
    const answer = new Promise<string>((resolve) => ws.once('message', (data) => resolve(String(data))));
    ws.once('open', () => ws.send(JSON.stringify({ id: 1, op: 'score', items: [{ image }] })));
    expect(JSON.parse(await answer).results[0].reward).toBe(body.results[0].reward);
    const clients = ((await ask(path, '/v1/history')).body as Json).entries.map((e: Json) => e.client);
    expect(new Set(clients).size).toBe(2); // each connection is a client of its own
    expect(await stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('asks for the token when there is one, and needs none', async () => {
    const folder = tempFolder();
    const path = join(folder, 's');
    await serve([...flags(folder), '--socket', path, '--token', 'long-enough']);
    expect((await ask(path, '/v1/scorers')).status).toBe(401);
    expect((await ask(path, '/v1/scorers', undefined, { authorization: 'Bearer long-enough' })).status).toBe(
      200,
    );
    const open = tempFolder();
    await serve([...flags(open), '--socket', join(open, 's')]);
    expect((await ask(join(open, 's'), '/v1/scorers')).status).toBe(200);
  });

  it('prints an address that holds in any folder', async () => {
    const folder = tempFolder();
    const path = join(folder, 's');
    const { url } = await serve([...flags(folder), '--socket', relative(process.cwd(), path)]);
    expect(url).toBe(`unix:${path}`);
  });

  it('replaces a socket file that nobody listens on', async () => {
    const folder = tempFolder();
    const path = join(folder, 'assay.sock');
    const first = await serve([...flags(folder), '--socket', path]);
    first.child.kill('SIGKILL');
    await new Promise((resolve) => first.child.once('close', resolve));
    expect(existsSync(path)).toBe(true);
    await serve([...flags(folder), '--socket', path]);
    expect((await ask(path, '/healthz')).body.status).toBe('ok');
  });

  it('leaves alone one that somebody listens on', async () => {
    const folder = tempFolder();
    const path = join(folder, 'assay.sock');
    const other = createServer().listen(path);
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const { code, stderr } = await assay(['serve', ...flags(folder), '--socket', path]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('SOCKET_IN_USE')]);
    const early = await assay(['serve', '--scorer', 'nowhere', '--socket', path]);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('SOCKET_IN_USE')]);
    expect(other.listening).toBe(true);
  });

  it('takes away at its end only what is its own', async () => {
    const folder = tempFolder();
    const path = join(folder, 'assay.sock');
    const first = await serve([...flags(folder), '--socket', path]);
    rmSync(path);
    await serve([...flags(folder), '--socket', path]);
    expect(await first.stop()).toBe(0);
    expect((await ask(path, '/healthz')).body.status).toBe('ok');
    expect(readdirSync(folder).sort()).toEqual(['assay.sock', 'data', 'models']);
  });

  it('is not mixed with a port', async () => {
    const folder = tempFolder();
    const path = join(folder, 's');
    for (const [flag, value] of [
      ['--port', '7878'],
      ['--host', '127.0.0.1'],
    ]) {
      const { code, stderr } = await assay(['serve', ...flags(folder), '--socket', path, flag!, value!]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/flags: (port|host) is .*CONFIG_INVALID/s)]);
    }
  });

  it.each([
    ['a file that is no socket', (folder: string) => join(folder, 'file'), 'nothing is overwritten'],
    ['a folder', (folder: string) => join(folder, 'dir'), 'nothing is overwritten'],
    ['a folder that is not there', (folder: string) => join(folder, 'none', 's'), 'SOCKET_UNUSABLE'],
    ['a path too long', (folder: string) => join(folder, 'x'.repeat(120)), 'SOCKET_UNUSABLE'],
  ])('refuses %s', async (_, pathIn, reason) => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'file'), 'kept');
    mkdirSync(join(folder, 'dir'));
    const { code, stderr } = await assay(['serve', ...flags(folder), '--socket', pathIn(folder)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });
});
