/** The README's commands do what it says: each block marked `run` or `daemon` is run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { writePlayground } from '../../examples/demo/scenes.ts';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const cli = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

/** Blocks of code by the words after their fence. */
const blocks = (fence: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${fence}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((m) => m[1]!);

/** What `npm run demo` leaves: the commands follow it. */
async function workplace(): Promise<string> {
  const folder = tempFolder();
  await writePlayground(folder);
  return folder;
}

/** A folder of images is scored with the one that is cut short on purpose. */
const expectedCode = (command: string): number => (/score pictures(?!\/)/.test(command) ? 3 : 0);

it('has commands that work', async () => {
  const cwd = await workplace();
  const commands = blocks('sh run').flatMap((block) => block.trim().split('\n'));
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const real = command.replace('npm run assay --', `"${process.execPath}" "${cli}"`);
    const { status, stderr } = spawnSync('bash', ['-c', `${real} --data-dir data`], {
      cwd,
      encoding: 'utf8',
    });
    expect([command, status]).toEqual([command, expectedCode(command)]);
    expect(stderr).not.toMatch(/^assay:|Error/m);
  }
}, 180_000);

it('has requests that the daemon answers', async () => {
  const cwd = await workplace();
  const { url } = await serve(['--data-dir', join(cwd, 'data')]);
  const here = (text: string): string => text.replaceAll('http://127.0.0.1:7878', url);
  for (const command of blocks('sh daemon').flatMap((block) => block.trim().split('\n'))) {
    const answer = execFileSync('bash', ['-c', `${here(command).replace('curl', 'curl -sS --fail')}`], {
      cwd,
      encoding: 'utf8',
    });
    expect(JSON.parse(answer)).toBeTypeOf('object');
  }
  for (const script of blocks('python daemon')) {
    const { error, status, stdout, stderr } = spawnSync('python3', ['-c', here(script)], {
      cwd,
      encoding: 'utf8',
    });
    if (error) continue; // no Python here
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.trim()).toBe('0');
  }
}, 180_000);

it('links only to files that exist', () => {
  for (const [, target] of readme.matchAll(/\]\((?!http)([^)#]+)\)/g))
    expect(() => readFileSync(new URL(`../../${target}`, import.meta.url)), target).not.toThrow();
});
