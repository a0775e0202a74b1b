/** What docs/a1111.md and its examples name exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTemplate } from '../../src/bridge/hosts/a1111/workflow/template.ts';
import { ERRORS } from '../../src/errors/table.ts';
import { readPolicyFile } from '../../src/loops/policy/policy-file.ts';

const page = new URL('../../docs/a1111.md', import.meta.url);
const text = readFileSync(page, 'utf8');
const examples = new URL('../../examples/a1111/', import.meta.url);

describe('docs/a1111.md', () => {
  it('names errors that exist', () => {
    const codes = [...text.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map((m) => m[1]!);
    expect(codes.length).toBeGreaterThan(8);
    expect(codes.filter((code) => !(code in ERRORS))).toEqual([]);
  });

  it('has a request that can be read, and names inputs of it', () => {
    const [json] = [...text.matchAll(/```json\n(.*?)```/gs)].map((m) => m[1]!);
    const template = readTemplate(json!, 'docs/a1111.md');
    const names = [...text.matchAll(/--vary ([a-z_]+)[=`\s]/g)].map((m) => m[1]!);
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(template.input(name).name).toBe(name);
  });

  it('links to files that exist', () => {
    const targets = [...text.matchAll(/\]\((?!http)([^)#]+)(?:#[^)]*)?\)/g)].map((m) => m[1]!);
    expect(targets.length).toBeGreaterThan(3);
    for (const target of targets) expect(existsSync(new URL(target, page)), target).toBe(true);
  });
});

describe('examples/a1111', () => {
  it('has requests that can be read, and a policy', () => {
    const names = readdirSync(examples).filter((name) => name.endsWith('.json'));
    for (const name of names.filter((one) => !one.includes('policy')))
      expect(readTemplate(readFileSync(new URL(name, examples), 'utf8'), name).prompt?.value).toContain(
        'fox',
      );
    expect(readPolicyFile(new URL('watch-policy.json', examples).pathname).actions.reject).toBe('move');
  });

  it('names files that exist', () => {
    const readme = readFileSync(new URL('README.md', examples), 'utf8');
    const named = [...readme.matchAll(/examples\/a1111\/([\w-]+\.json)/g)].map((m) => m[1]!);
    expect(named.length).toBeGreaterThan(2);
    for (const name of named) expect(existsSync(new URL(name, examples)), name).toBe(true);
  });
});
