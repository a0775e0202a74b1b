/** examples/a1111/extension: the bodies pass arguments that the extension has. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PANEL, PANEL_TITLE } from '../../src/nodes/index.ts';

const folder = new URL('../../examples/a1111/extension/', import.meta.url);
const bodies = readdirSync(folder).filter((name) => name.endsWith('.json'));
const readme = readFileSync(new URL('README.md', folder), 'utf8');

it.each(bodies)('%s', (name) => {
  const body = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
  const [args] = body.alwayson_scripts[PANEL_TITLE].args as [Record<string, unknown>];
  for (const [key, value] of Object.entries(args)) {
    const input = PANEL.find((one) => one.name === key)!;
    expect(typeof value, key).toBe(typeof input.default);
    if (input.type === 'COMBO') expect(input.choices).toContain(value);
  }
  expect(readme).toContain(`## ${name}`);
});

it('are found', () => {
  expect(bodies.length).toBeGreaterThan(1);
});
