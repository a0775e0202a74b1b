import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { takeHold } from '../../src/store/file/hold.ts';
import { tempFolder } from '../support/files.ts';

const HOLD = fileURLToPath(new URL('../../src/store/file/hold.ts', import.meta.url));

it('one has it, the other is told who', () => {
  const path = join(tempFolder(), 'new/watch.lock');
  const first = takeHold(path);
  expect(takeHold(path)).toMatchObject({ holder: { pid: process.pid, since: expect.any(Number) } });
  if ('release' in first) first.release();
  const second = takeHold(path);
  expect(second).toHaveProperty('release');
  if ('release' in second) second.release();
});

it.each(['a file in place of its folder', 'no database'])('%s is told', (what) => {
  const path = join(tempFolder(), 'data');
  writeFileSync(path, 'text, and more of it than fits into the head of a database'.repeat(20));
  expect(() => takeHold(what === 'no database' ? path : join(path, 'watch.lock'))).toThrow(
    expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
  );
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
