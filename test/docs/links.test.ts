/** Links between the pages, and into the code, lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pagesIn = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

const PAGES = ['.', 'docs', 'training', 'bench', 'python-shim/comfyui', 'examples/trainers'].flatMap(pagesIn);

const linksIn = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, to]) => to!)
    .filter((to) => !/^(https?:|#)/.test(to));

it.each(PAGES)('of %s', (page) => {
  const dead = linksIn(page).filter((to) => !existsSync(join(root, dirname(page), to.split('#')[0]!)));
  expect(dead).toEqual([]);
});

it('are found', () => {
  expect(linksIn('docs/architecture.md').length).toBeGreaterThan(30);
});
