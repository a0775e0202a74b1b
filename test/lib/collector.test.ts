/** Garbage that a collection cannot give back, as an engine has it that keeps its room for young objects. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const COLLECTOR = new URL('../../src/lib/collector.ts', import.meta.url).href;
const IDLE_MS = 3000;
/** Counts what the engine collected of its whole heap while nothing happened. */
const PROGRAM = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  import { startCollector } from '${COLLECTOR}';
  let found = 0;
  new PerformanceObserver((list) => {
    found += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
  }).observe({ entryTypes: ['gc'] });
  startCollector();
  setTimeout(() => console.log(found), ${IDLE_MS});
`;

it('is not collected again and again', () => {
  const flags = ['--min-semi-space-size=32', '--no-warnings', '--input-type=module'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--eval', PROGRAM], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(Number(stdout)).toBeLessThanOrEqual(2);
}, 30_000);
