/** What `npm run` starts ends with it, although the shell between the two passes no signal on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';

const setup = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));

it.skipIf(process.platform === 'win32')('a daemon whose shell was ended stops, too', async () => {
  const folder = tempFolder();
  writeModel(folder);
  const args = ['serve', '--port', '0', '--models', folder, '--scorer', 'test-bright', '--data-dir', folder];
  // Two commands, so that the shell does not become the first one.
  const line = `"${process.execPath}" "${setup}" src/cli/index.ts ${args.join(' ')}; true`;
  const shell = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = createInterface({ input: shell.stdout! });
  const [greeting] = (await once(lines, 'line')) as [string];
  const url = /http:\S+/.exec(greeting)![0];
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  shell.kill('SIGTERM');
  const answers = () =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  await expect.poll(answers, { interval: 100 }).toBe(false);
});
