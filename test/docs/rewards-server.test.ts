/** The page on rewards says what there is: its config, its scales, its messages, its Python. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rewardAnswer, rewardBody } from '../../src/bridge/server/wire/reward-schemas.ts';
import { SCALES } from '../../src/config/profiles.ts';
import { loadConfig } from '../../src/config.ts';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';

const page = readFileSync(new URL('../../docs/rewards-server.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => text!);
const [request, answer, config] = blocks('json').map((text) => JSON.parse(text));

it('its config is one', () => {
  const { rewards } = loadConfig({ dataDir: tempFolder(), ...config }, undefined, {});
  expect(Object.keys(rewards.profiles)).toEqual([rewards.profile]);
});

it('its request and its answer are of the schemas', () => {
  expect(rewardBody.parse(request).items).toHaveLength(2);
  const [item] = answer.results;
  const shape = rewardAnswer.shape;
  expect(Object.keys(shape)).toEqual(Object.keys(answer));
  expect(Object.keys(shape.results.element.shape)).toEqual(expect.arrayContaining(Object.keys(item)));
  expect(Object.keys(shape.groups.element.shape)).toEqual(Object.keys(answer.groups[0]));
});

it('its table has every scale', () => {
  const table = /\| `scale` \|[\s\S]*?\n\n/.exec(page)![0];
  const names = [...table.matchAll(/`([\w.]+)`(?=[^|]*\|[^|]*\|\n)/g)].map(([, name]) => name!);
  for (const name of ['range', ...Object.keys(SCALES)]) expect(names).toContain(name);
});

const hasNumpy = (() => {
  try {
    execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

it.skipIf(!hasNumpy)('its Python runs', async () => {
  const folder = tempFolder();
  writeModel(folder);
  const flags = ['--models', folder, '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
  const { url } = await serve(flags);
  const script = blocks('python')[0]!.replace('http://127.0.0.1:7878', url);
  expect(execFileSync('python3', ['-c', script], { encoding: 'utf8' })).toBe('None\n'); // noise trips a guard
});
