import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeAll, post, start } from './harness.ts';

let root = '';

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'assay-paths-')));
  for (const dir of ['allowed/sub', 'allowed-not', 'secret', 'linked-root'])
    mkdirSync(join(root, dir), { recursive: true });
  for (const file of ['allowed/a.png', 'allowed/sub/b.png', 'allowed-not/c.png', 'secret/d.png'])
    writeFileSync(join(root, file), Buffer.from([42]));
  writeFileSync(join(root, 'allowed/heavy.png'), Buffer.alloc(65));
  symlinkSync(join(root, 'allowed/a.png'), join(root, 'allowed/inner-link.png'));
  symlinkSync(join(root, 'secret/d.png'), join(root, 'allowed/file-link.png'));
  symlinkSync(join(root, 'secret'), join(root, 'allowed/dir-link'));
  symlinkSync(join(root, 'allowed'), join(root, 'link-to-allowed'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(closeAll);

async function scorePath(path: string, dirs: string[] = ['allowed']) {
  const rig = await start({ allowedDirs: dirs.map((dir) => join(root, dir)), limits: { maxImageBytes: 64 } });
  const reply = await post(rig, '/v1/score', { items: [{ path }] });
  expect(reply.status).toBe(200);
  return reply.body.results[0];
}

test.each(['allowed/a.png', 'allowed/sub/b.png', 'allowed/sub/../a.png', 'allowed/inner-link.png'])(
  'reads %s',
  async (path) => {
    const result = await scorePath(`${root}/${path}`);
    expect(result).toMatchObject({ error: null, reward: 42 / 255, source: `${root}/${path}` });
  },
);

test('reads below an allowed folder that is a link itself', async () => {
  expect((await scorePath(join(root, 'link-to-allowed/a.png'), ['link-to-allowed'])).error).toBeNull();
});

test.each([
  ['secret/d.png', 'PATH_NOT_ALLOWED'],
  ['allowed/../secret/d.png', 'PATH_NOT_ALLOWED'],
  ['allowed-not/c.png', 'PATH_NOT_ALLOWED'],
  ['allowed/file-link.png', 'PATH_NOT_ALLOWED'],
  ['allowed/dir-link/d.png', 'PATH_NOT_ALLOWED'],
  ['allowed/dir-link/absent.png', 'PATH_NOT_ALLOWED'],
  ['secret/absent.png', 'PATH_NOT_ALLOWED'],
  ['allowed', 'PATH_NOT_ALLOWED'],
  ['allowed/a.png\0.png', 'PATH_NOT_ALLOWED'],
  ['allowed/absent.png', 'FILE_NOT_FOUND'],
  ['allowed/a.png/b', 'FILE_UNREADABLE'],
  ['allowed/sub', 'FILE_UNREADABLE'],
  ['allowed/heavy.png', 'IMAGE_TOO_HEAVY'],
])('does not read %j: %s', async (path, code) => {
  expect(await scorePath(`${root}/${path}`)).toMatchObject({ error: { code }, reward: null });
});

test.each(['a.png', './allowed/a.png', 'file:///etc/hostname'])(
  'does not read %s, which is not absolute',
  async (path) => {
    expect(await scorePath(path)).toMatchObject({ error: { code: 'PATH_NOT_ALLOWED' } });
  },
);

test('reads nothing when no folder is allowed', async () => {
  expect(await scorePath(join(root, 'allowed/a.png'), [])).toMatchObject({
    error: { code: 'PATH_NOT_ALLOWED' },
  });
});
