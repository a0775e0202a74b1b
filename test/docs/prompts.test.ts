/** The page on prompts and the rules in the source are of one mind. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FAMILIES } from '../../src/prompt/workflow/families.ts';

const page = readFileSync(new URL('../../docs/prompts.md', import.meta.url), 'utf8');

it('names every family of nodes', () => {
  expect(FAMILIES.map(({ family }) => family).filter((name) => !page.includes(name))).toEqual([]);
});
