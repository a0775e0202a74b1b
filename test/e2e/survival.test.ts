/** What the daemon's process survives, or ends of as it should: the real command, with its surroundings spoilt. */
import { execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

interface Started {
  url: string;
  child: ReturnType<typeof spawn>;
  /** Exit code after SIGTERM. */
  stop(): Promise<number | null>;
  ended: Promise<number | null>;
}

/** @param before shell commands that come before the daemon in its own process */
async function start(
  before: string,
  stderr: number | 'pipe' | 'ignore',
  env: NodeJS.ProcessEnv = {},
): Promise<Started> {
  const folder = tempFolder();
  const models = join(folder, 'models');
  writeModel(models);
  const own = ['--models', models, '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
  const command = `${before} exec "$0" "$@"`;
  const options: SpawnOptions = {
    stdio: ['ignore', 'pipe', stderr],
    env: { ...process.env, ASSAY_DRAIN_TIMEOUT_MS: '3000', ...env },
  };
  const args = ['-c', command, process.execPath, CLI, 'serve', '--port', '0', ...own];
  const child = spawn('sh', args, options);
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (!url) continue;
    const stop = () => {
      child.kill('SIGTERM');
      return ended;
    };
    return { url, child, stop, ended };
  }
  throw new Error('the daemon ended before it was ready');
}

const image = (await png(picture(64, 64))).toString('base64');

async function score(url: string, prompt: string): Promise<string> {
  const body = JSON.stringify({ items: [{ image, prompt }] });
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const answer = await fetch(`${url}/v1/score`, { method: 'POST', headers, body });
  // biome-ignore lint/suspicious/noExplicitAny: asserted on, not used
  const { results }: any = await answer.json();
  return results[0].error?.code ?? results[0].decision;
}

/** A module that runs in the daemon before everything else. */
const preload = (source: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(source)}`,
});

/** The text of a page, over the connection of the agent. */
async function ask(url: string, agent: Agent): Promise<string> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
  return (await response.setEncoding('utf8').toArray()).join('');
}

/** As many requests as fill a pipe of 64 KiB with the lines that they are logged with. */
async function askOften(url: string): Promise<void> {
  for (let i = 0; i < 40; i++)
    await Promise.all(Array.from({ length: 10 }, () => fetch(`${url}/v1/nothing`).then((r) => r.text())));
}

/** A pipe that nobody reads, and its end for writing. */
function blockedPipe(): { path: string; fd: number } {
  const path = join(tempFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(fd));
  return { path, fd };
}

describe('the daemon goes on and stops as told', () => {
  it.each(['pipe', 'socket'])('while its log is a %s that nobody reads', async (kind) => {
    const { path, fd } = blockedPipe();
    // What spawn calls a pipe is a socket; left alone, its end here is read up to some kilobytes.
    const [before, stderr] =
      kind === 'pipe' ? ([`exec 2>${path};`, 'ignore'] as const) : (['', 'pipe'] as const);
    const { url, stop } = await start(before, stderr);
    for (let i = 0; i < 3; i++) await askOften(url);
    expect(await score(url, 'a')).toBe('accept');
    if (kind === 'pipe') expect(readSync(fd, Buffer.alloc(2 ** 17))).toBeGreaterThan(50_000);
    const from = performance.now();
    expect(await stop()).toBe(0);
    expect(performance.now() - from).toBeLessThan(8000); // and not the 10 s that it gives requests
  });

  it.each([
    ['the disk of its log is full', 'exec 2>/dev/full;'],
    ['its log is closed', 'exec 2>&-;'],
  ])('when %s', async (_, before) => {
    const { url, stop } = await start(before, 'ignore');
    await askOften(url);
    expect(await score(url, 'a')).toBe('accept');
    expect(await stop()).toBe(0);
  });

  it('when the readers of its log and of its greeting leave', async () => {
    const { url, child, stop } = await start('', 'pipe');
    child.stderr!.destroy();
    child.stdout!.destroy();
    await askOften(url);
    expect(await score(url, 'a')).toBe('accept');
    expect(await stop()).toBe(0);
  });

  it('when there are no file descriptors, and opens again what it needs once there are some', async () => {
    const held = `
      import { closeSync, openSync } from 'node:fs';
      const held = [];
      const take = () => { for (;;) held.push(openSync('/dev/null')); };
      process.on('SIGUSR2', () => {
        if (held.length > 0) while (held.length > 0) closeSync(held.pop());
        else try { take(); } catch {}
      });`;
    const { url, child, stop } = await start('ulimit -n 100;', 'ignore', preload(held));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const metrics = () => ask(`${url}/metrics`, agent);
    await metrics();
    child.kill('SIGUSR2');
    // Its memory cannot be read now; timers come every 100 ms.
    await expect.poll(metrics, { interval: 20 }).toContain('process_resident_memory_bytes Nan');
    for (let i = 0; i < 10; i++) await fetch(`${url}/healthz`, { keepalive: false }).catch(() => {});
    expect(await metrics()).toMatch(/^assay_ready 1$/m);
    child.kill('SIGUSR2');
    await expect.poll(() => score(url, 'c').catch(() => 'no answer')).toBe('accept');
    expect(await metrics()).toMatch(/^process_resident_memory_bytes \d/m);
    expect(await stop()).toBe(0);
  });
});

describe('an error that nobody caught', () => {
  /** A fault of ours that no request can be made to trigger. */
  const fault = (how: string) => preload(`process.once('SIGUSR2', () => { ${how} });`);

  it.each([
    ['thrown', 'setImmediate(() => { throw new Error("it broke") })'],
    ['rejected', 'Promise.reject(new Error("it broke"))'],
    ['thrown that is no error', 'setImmediate(() => { throw "it broke" })'],
  ])('is logged when %s, and ends the daemon with code 1', async (_, how) => {
    const log = join(tempFolder(), 'log');
    const { child, ended } = await start(`exec 2>${log};`, 'ignore', fault(how));
    child.kill('SIGUSR2');
    expect(await ended).toBe(1);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const line = lines.map((text) => JSON.parse(text)).find(({ level }) => level === 50);
    expect(line.msg).toMatch(/nobody caught/);
    expect(JSON.stringify(line.err)).toContain('it broke');
  });
});
