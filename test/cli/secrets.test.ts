/** The daemon's token is nowhere where another user of the machine could read it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const CLI = path('src/cli/index.ts');
const TOKEN = 'correct-horse-battery';

/** Process ids of a process and all that it started. */
function familyOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(familyOf)];
}

const argumentsOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');

/** Starts a daemon and asks it with the token. */
async function serving(command: string[]) {
  const folder = tempFolder();
  writeModel(folder);
  const rest = ['--port', '0', '--models', folder, '--scorer', 'test-bright', '--data-dir', folder];
  const child: ChildProcess = spawn(process.execPath, [...command, ...rest], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let log = '';
  child.stderr!.on('data', (chunk) => {
    log += chunk;
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await closed;
    expect(log).not.toContain(TOKEN);
  });
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  const ask = (headers: Record<string, string>) =>
    fetch(`${/http:\S+/.exec(line)![0]}/v1/scorers`, { headers });
  expect((await ask({})).status).toBe(401);
  expect((await ask({ authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  return child;
}

const hasProc = existsSync('/proc/self/cmdline');

describe('the token', () => {
  it.skipIf(!hasProc).each([
    ['the command', [CLI, 'serve', '--token', TOKEN]],
    ['the checkout', [path('scripts/setup.mjs'), 'src/cli/index.ts', 'serve', `--token=${TOKEN}`]],
  ])(
    `is not among the arguments of %s${hasProc ? '' : ' (skipped: there is no /proc)'}`,
    async (_name, command) => {
      const { pid } = await serving(command);
      expect(familyOf(pid!).map(argumentsOf).join()).not.toContain(TOKEN);
    },
  );

  it('comes from a file', async () => {
    const file = join(tempFolder(), 'token');
    writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
    await serving([CLI, 'serve', '--token-file', file]);
  });
});
