import { defaultExclude, defineConfig } from 'vitest/config';
import { COMPILED } from './scripts/compiled.ts';

process.env.NODE_COMPILE_CACHE ??= COMPILED;

/** What starts processes of its own, loads the embedded scorer or takes seconds: left out between edits. */
const SLOW = [
  'test/{cli,e2e,package,models,nodes,examples}/**',
  'test/bridge/hosts/{kinds,comfyui/timelines}.test.ts',
  'test/bridge/server/{answers,arrival,control,fuzz,idempotency,json,pressure}.test.ts',
  'test/eval/{evaluate,page}.test.ts',
  'test/lib/{quiet,threads}.test.ts',
  'test/reward/{chain,parity,image/main-thread,image/prepare}.test.ts',
  'test/store/{damage,faults,retention,search}.test.ts',
];
const isQuick = process.env.ASSAY_QUICK === '1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...defaultExclude, ...(isQuick ? SLOW : [])],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine is slow, not wrong.
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: 2,
  },
});
