/** The Dockerfile and the page on deployment hold what they say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig, SETTINGS } from '../../src/config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ');

describe('the Dockerfile', () => {
  const ignore = read('.dockerignore').split('\n');
  /** What each stage takes from the checkout, as paths in it; `.` is all that the context lets through. */
  const copied = (pattern: RegExp): string[] =>
    [...dockerfile.matchAll(pattern)]
      .flatMap((m) => m[1]!.split(' '))
      .map((path) => path.replace('/build/', ''));
  const first = copied(/^COPY ((?!--from).+) \S+$/gm).filter((path) => path !== '.');
  const made = ['node_modules', 'dist'];
  const last = copied(/^COPY --from=build (.+) \S+$/gm).filter((path) => !made.includes(path));

  it('copies what exists and what its context lets through', () => {
    expect([first, last]).toEqual([
      expect.arrayContaining(['package-lock.json']),
      expect.arrayContaining(['models']),
    ]);
    const given = [...first, ...last];
    expect(given.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(given.filter((path) => !ignore.includes(`!${path}`))).toEqual([]);
  });

  it('gives the build what it reads', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const [, project] = /^tsc -p (\S+)$/.exec(scripts.build)!;
    const { extends: base, include } = JSON.parse(read(project!));
    const needed = [project, base.replace('./', ''), ...include];
    expect(needed.filter((path) => !ignore.includes(`!${path}`))).toEqual([]);
  });

  it('gives the daemon what it reads beside its code', () => {
    const src = join(root, 'src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
    const named = files.flatMap((file) => {
      const urls = readFileSync(join(src, file), 'utf8').matchAll(/new URL\('([^']+)', import\.meta\.url\)/g);
      return [...urls].map(([, path]) => relative(root, join(src, file, '..', path!)));
    });
    const outside = named.filter((path) => path !== '' && !path.startsWith('src/'));
    expect(outside).toContain('models');
    expect(outside.filter((path) => !last.includes(path))).toEqual([]);
  });

  it('sets only settings that there are, and they are valid', () => {
    const pairs = [...dockerfile.matchAll(/(ASSAY_\w+)=(\S+)/g)].map((m) => [m[1]!, m[2]!]);
    expect(pairs.length).toBeGreaterThan(2);
    const config = loadConfig({}, undefined, Object.fromEntries(pairs));
    expect(config).toMatchObject({ host: '0.0.0.0', dataDir: '/data', notes: [] });
  });

  it('runs as a numbered user that is not root', () => {
    expect(dockerfile).toMatch(/^USER [1-9]\d*:0$/m);
  });

  /** The health check of the Dockerfile against a server that answers with a status. */
  async function check(status: number, port = (real: number) => String(real)): Promise<number> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? status : 404).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const [command, ...args] = JSON.parse(/HEALTHCHECK .* CMD (\[.*\])/.exec(dockerfile)![1]!) as string[];
    expect(command).toBe('node');
    const env = { ...process.env, ASSAY_PORT: port((server.address() as AddressInfo).port) };
    const [code] = await once(spawn(process.execPath, args, { env, stdio: 'ignore' }), 'close');
    return code;
  }

  it('has a health check that tells a good daemon from a bad and an absent one', async () => {
    expect(await check(200)).toBe(0);
    expect(await check(503)).toBe(1);
    expect(await check(200, () => '9')).toBe(1);
  });
});

it('docs/deploy.md names only variables that there are', () => {
  const known = [...SETTINGS.map((setting) => setting.variable), 'ASSAY_CONFIG'];
  const injected = /^ASSAY_(SERVICE_HOST|PORT_7878_TCP)$/;
  const named = [...new Set(read('docs/deploy.md').match(/ASSAY_[A-Z0-9_]+/g))];
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !known.includes(name) && !injected.test(name))).toEqual([]);
});
