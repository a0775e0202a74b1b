/** `npm run check`: format and lint, types, generated files fresh. The import rules are a test (test/imports.test.ts). */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stale } from './generate.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function passes(name: string, command: string, args: string[]): boolean {
  const good =
    spawnSync(`${root}node_modules/.bin/${command}`, args, { cwd: root, stdio: 'inherit' }).status === 0;
  if (!good) process.stdout.write(`check: ${name} failed\n`);
  return good;
}

function generatedAreFresh(): boolean {
  const files = stale();
  for (const file of files) process.stdout.write(`check: ${file} is out of date; run \`npm run generate\`\n`);
  return files.length === 0;
}

const results = [
  passes('format and lint', 'biome', ['check', '--error-on-warnings', '.']),
  passes('types', 'tsc', ['-p', '.']),
  generatedAreFresh(),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
