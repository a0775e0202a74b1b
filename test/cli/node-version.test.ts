/** What a Node says that is too old for Assay, and that it gets to say it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const cli = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const needed: string = engines.node.replace('>=', '');

/** The command line on a Node that takes itself for that version. */
function runOn(version: string) {
  const versions = JSON.stringify({ node: version });
  const pretence = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,...${versions}}})`;
  return spawnSync(process.execPath, ['--import', pretence, cli, '--version'], { encoding: 'utf8' });
}

it.each(['16.0.0', '20.20.2', '22.12.9'])(
  'Node %s: what is needed, in one line, and exit code 2',
  (version) => {
    const { status, stdout, stderr } = runOn(version);
    const line = `assay: needs Node ${needed} or newer, this is ${version}\n`;
    expect([status, stdout, stderr]).toEqual([2, '', line]);
  },
);

it.each([`${needed}.0`, '23.0.0', '26.1.0'])('Node %s goes on', (version) => {
  const { status, stdout } = runOn(version);
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+/)]);
});

it('asks before it loads anything', () => {
  expect(readFileSync(cli, 'utf8')).not.toMatch(/^\s*(import\s+(?!\()|export\b)|\bawait\b/m);
});
