/** The page on rewards says what there is: its config, its scales, its messages. Its Python is run by python-shim/tests. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { rewardAnswer, rewardBody } from '../../src/bridge/server/wire/reward-schemas.ts';
import { SCALES } from '../../src/config/profiles.ts';
import { loadConfig } from '../../src/config.ts';
import { tempFolder } from '../support/files.ts';

const page = readFileSync(new URL('../../docs/rewards.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => text!);
const [config, request, answer] = blocks('json').map((text) => JSON.parse(text));

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

it('every block of JSON is one of these', () => {
  expect(blocks('json')).toHaveLength(3);
});

it('its table has every scale', () => {
  const table = /\| `scale` \|[\s\S]*?\n\n/.exec(page)![0];
  const names = [...table.matchAll(/`([\w.]+)`(?=[^|]*\|[^|]*\|\n)/g)].map(([, name]) => name!);
  for (const name of ['range', ...Object.keys(SCALES)]) expect(names).toContain(name);
});
