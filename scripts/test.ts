/**
 * `npm test`: the checks, the TypeScript tests, and the Python tests where a Python with their packages is found
 * (`ASSAY_PYTHON`, else `.venv`, else `python3`). Ends with one line: `N passed, N failed, N skipped`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'assay-test-'));

const run = (command: string, args: string[], cwd = root): number =>
  spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

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

function findPython(): string | undefined {
  const candidates = [process.env.ASSAY_PYTHON, join(root, '.venv/bin/python'), 'python3'];
  const needs = 'import torch, onnx, onnxruntime, scipy, PIL, pytest, ruff';
  return candidates.find(
    (python) => python && spawnSync(python, ['-c', needs], { stdio: 'ignore' }).status === 0,
  );
}

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

function pytest(): Counts {
  const python = findPython();
  if (!python) {
    process.stdout.write(
      'training tests skipped: no Python with the packages of training/pyproject.toml[dev] found\n',
    );
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const report = join(scratch, 'pytest.xml');
  const status = run(python, ['-m', 'pytest', '-q', `--junitxml=${report}`], join(root, 'training'));
  const lint = ['check', 'format --check'].map((c) =>
    run(python, ['-m', 'ruff', ...c.split(' '), '.', '../bench'], join(root, 'training')),
  );
  const counts = existsSync(report)
    ? junitCounts(readFileSync(report, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0 };
  const broken = status !== 0 && counts.failed === 0 ? 1 : 0;
  const untidy = lint.filter((s) => s !== 0).length;
  return { ...counts, passed: counts.passed + lint.length - untidy, failed: counts.failed + broken + untidy };
}

const all = [check(), vitest(), pytest()];
rmSync(scratch, { recursive: true, force: true });
const total = (key: keyof Counts) => all.reduce((sum, counts) => sum + counts[key], 0);
process.stdout.write(`\n${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped\n`);
process.exitCode = total('failed') > 0 ? 1 : 0;
