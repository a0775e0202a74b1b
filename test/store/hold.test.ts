import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { takeHold } from '../../src/store/hold.ts';
import { tempFolder } from '../support/files.ts';

const HOLD = fileURLToPath(new URL('../../src/store/hold.ts', import.meta.url));

it('one has it, the other is told who', () => {
  const path = join(tempFolder(), 'new/watch.lock');
  const first = takeHold(path);
  expect(takeHold(path)).toMatchObject({ holder: { pid: process.pid, since: expect.any(Number) } });
  if ('release' in first) first.release();
  const second = takeHold(path);
  expect(second).toHaveProperty('release');
  if ('release' in second) second.release();
});

it('it is free again when the process that had it was killed', async () => {
  const path = join(tempFolder(), 'watch.lock');
  const script = `import { takeHold } from ${JSON.stringify(HOLD)};
    globalThis.kept = takeHold(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(createInterface({ input: child.stdout }), 'line');
  expect(takeHold(path)).toMatchObject({ holder: { pid: child.pid } });
  child.kill('SIGKILL');
  await once(child, 'close');
  const mine = takeHold(path);
  expect(mine).toHaveProperty('release');
  if ('release' in mine) mine.release();
});
