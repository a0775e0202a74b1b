import { defaultExclude, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
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
/** Small files that take long. They begin first: else everything else is over, and one of them still runs alone. */
const LONGEST = [
  'reward/parity',
  'e2e/readme',
  'package/pack',
  'bridge/server/fuzz',
  'cli/bench',
  'models/assay-lite',
  'models/assay-base',
];
const isLong = ({ moduleId }: TestSpecification): boolean =>
  LONGEST.some((name) => moduleId.endsWith(`test/${name}.test.ts`));

/** Where nothing is known of earlier runs, the others come by their size, which tells about how long they take. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

const isQuick = process.env.ASSAY_QUICK === '1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...defaultExclude, ...(isQuick ? SLOW : [])],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine is slow, not wrong.
    expect: { poll: { timeout: 20_000 } },
    sequence: { sequencer: LongestFirst },
    // More than there are cores: tests wait for hosts, daemons and disks about half of their time.
    maxWorkers: 4,
  },
});
