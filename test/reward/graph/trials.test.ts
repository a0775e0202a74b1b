/** Execution providers are tried in processes of their own, whatever becomes of those. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { knownTrial, runTrial, tryProvider } from '../../../src/reward/graph/trials.ts';
import { tempFolder } from '../../support/files.ts';

/** A trial that does what the text says. */
function fake(text: string): string {
  const path = join(tempFolder(), 'trial.mjs');
  writeFileSync(path, text);
  return path;
}

const line = (trial: object): string =>
  `process.stdout.write(${JSON.stringify(`${JSON.stringify(trial)}\n`)});`;
const works = { reason: '', half: false, speed: 3 };

describe('a trial', () => {
  it.each([
    ['that crashes', 'process.kill(process.pid, "SIGSEGV")', 'its trial ended with SIGSEGV'],
    [
      'that ends early',
      'console.error("first\\nno such driver"); process.exit(7)',
      'its trial ended with code 7: no such driver',
    ],
    [
      'that finds a library missing',
      `console.error("Failed to load library x.so with error: libcudnn.so.9: cannot open"); ${line({ reason: 'Failed to load shared library', half: false, speed: null })}`,
      'libcudnn.so.9: cannot open',
    ],
    [
      'whose runtime names its source',
      line({
        reason: '/src/a.cc:136 f() x == y was false. No supported adapters\n',
        half: false,
        speed: null,
      }),
      'No supported adapters',
    ],
  ])('%s says why', async (_what, text, reason) => {
    expect(await runTrial('x', 30_000, fake(text))).toEqual({ reason, half: false, speed: null });
  });

  it('that hangs is ended', async () => {
    const trial = await runTrial('x', 200, fake('setInterval(() => {}, 1000)'));
    expect(trial.reason).toBe('it did not answer within 0.2 s');
  });

  it('that crashes over float16 has shown what it can do', async () => {
    const text = `console.log("noise"); ${line(works)} process.stdout.write('{"rea', () => process.kill(process.pid, "SIGABRT"))`;
    expect(await runTrial('x', 30_000, fake(text))).toEqual(works);
  });
});

it('what was found is kept: a failure for a day, for a passing cause may be gone', async () => {
  const [first, second] = [tempFolder(), tempFolder()];
  const file = 'tried-providers.json';
  const { reason } = await tryProvider('tensorrt', first);
  expect(reason).toMatch(/cannot open shared object|not|fail/i);
  const kept = JSON.parse(readFileSync(join(first, file), 'utf8'));
  expect(kept.tried).toMatchObject([{ provider: 'tensorrt', reason }]);
  const write = (change: object) =>
    writeFileSync(
      join(second, file),
      JSON.stringify({ version: 1, tried: [{ ...kept.tried[0], ...change }] }),
    );
  write({ reason: 'remembered' });
  expect(knownTrial('tensorrt', second)?.reason).toBe('remembered');
  expect(knownTrial('webgpu', second)).toBeUndefined();
  write({ at: new Date(Date.now() - 25 * 3_600_000).toISOString() });
  expect(knownTrial('tensorrt', second)).toBeUndefined();
  write({ key: 'of another driver' });
  expect(knownTrial('tensorrt', second)).toBeUndefined();
  writeFileSync(join(second, file), '{"version": 1, "tried": 7}');
  expect(knownTrial('tensorrt', second)).toBeUndefined();
});
