/**
 * `npm test`: the checks, the TypeScript tests and the Python tests; what they need is installed first. Ends with one
 * line: `N passed, N failed, N skipped`.
 *
 * `npm test -- --quick`: the checks, and the tests that take no process of their own: between edits, under a minute.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILED } from './compiled.ts';
import { findPython, preparePython, TRAINING } from './python.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'assay-test-'));
const isQuick = process.argv.includes('--quick');

const env = {
  ...process.env,
  // One thread each: torch would start as many as there are cores in every worker, and they would wait for each other.
  OMP_NUM_THREADS: '1',
  NODE_COMPILE_CACHE: COMPILED,
  ...(isQuick && { ASSAY_QUICK: '1' }),
};
const run = (command: string, args: string[], cwd = root): number =>
  spawnSync(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

function check(): Counts {
  const good = run(process.execPath, ['scripts/check.ts']) === 0;
  return { passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: 0 };
}

function vitest(): Counts {
  const report = join(scratch, 'vitest.json');
  const entry = join(root, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = run(process.execPath, [entry, 'run', ...reporters]);
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const json = JSON.parse(readFileSync(report, 'utf8'));
  const skipped = json.numPendingTests + json.numTodoTests;
  // A test file that cannot be loaded, or an unhandled error, fails the run without a failed test.
  const failed = Math.max(json.numFailedTests, status === 0 ? 0 : 1);
  return { passed: json.numPassedTests, failed, skipped };
}

/** A Python project: where it stands, what its tests import, and what its linter looks at. */
interface PythonProject {
  folder: string;
  needs: string[];
  lint: string[];
  /** Tests at a time, a core. */
  perCore: number;
}

const PYTHON_PROJECTS: PythonProject[] = [
  { folder: 'training', needs: TRAINING, lint: ['.', '../bench'], perCore: 1 },
  {
    folder: 'python-shim',
    needs: ['torch', 'numpy', 'aiohttp', 'msgpack', 'PIL'],
    lint: ['.', '../examples'],
    // They wait for daemons, and for what comes when one is silent.
    perCore: 2,
  },
];
const TOOLS = ['pytest', 'xdist', 'ruff'];

/** Sums the attributes of the test suites in a JUnit report. */
function junitCounts(xml: string): Counts {
  const sum = (name: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, 'g'))].reduce(
      (s, m) => s + Number(m[1]),
      0,
    );
  const failed = sum('failures') + sum('errors');
  return { passed: sum('tests') - failed - sum('skipped'), failed, skipped: sum('skipped') };
}

function pytest({ folder, needs, lint, perCore }: PythonProject): Counts {
  const python = findPython([...needs, ...TOOLS]);
  if (!python) {
    process.stdout.write(
      `tests of ${folder}/ skipped: no Python with ${needs.join(', ')}, ${TOOLS.join(', ')}\n`,
    );
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const report = join(scratch, `${folder}.xml`);
  const workers = ['-n', String(perCore * availableParallelism()), '--dist', 'loadfile'];
  const status = run(python, ['-m', 'pytest', '-q', `--junitxml=${report}`, ...workers], join(root, folder));
  const tidy = ['check', 'format --check'].map((command) =>
    run(python, ['-m', 'ruff', ...command.split(' '), ...lint], join(root, folder)),
  );
  const counts = existsSync(report)
    ? junitCounts(readFileSync(report, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0 };
  const broken = status !== 0 && counts.failed === 0 ? 1 : 0;
  const untidy = tidy.filter((s) => s !== 0).length;
  return { ...counts, passed: counts.passed + tidy.length - untidy, failed: counts.failed + broken + untidy };
}

/** Python comes first: some TypeScript tests hold what it says against what we say. */
function prepare(): void {
  const missing = preparePython([...new Set(PYTHON_PROJECTS.flatMap(({ needs }) => needs)), ...TOOLS]);
  if (missing) process.stdout.write(`without Python: ${missing}\n`);
}

if (!isQuick) prepare();
const all = [check(), vitest(), ...(isQuick ? [] : PYTHON_PROJECTS.map(pytest))];
rmSync(scratch, { recursive: true, force: true });
const total = (key: keyof Counts) => all.reduce((sum, counts) => sum + counts[key], 0);
process.stdout.write(`\n${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped\n`);
process.exitCode = total('failed') > 0 ? 1 : 0;
