/** What docs/comfyui.md names exists. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { NODES } from '../../src/nodes/index.ts';
import { assay } from '../support/cli.ts';

const page = new URL('../../docs/comfyui.md', import.meta.url);
const text = readFileSync(page, 'utf8');

describe('docs/comfyui.md', () => {
  it('names errors that exist', () => {
    const table = text.slice(text.indexOf('## When something is wrong'));
    const codes = [...table.matchAll(/`([A-Z][A-Z_]{3,})`/g)].map((m) => m[1]!);
    const variables = ['ASSAY_URL', 'ASSAY_TOKEN', 'ASSAY_TOKEN_FILE'];
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => !(code in ERRORS) && !variables.includes(code))).toEqual([]);
  });

  it('names every node, and flags that the command has', async () => {
    for (const node of NODES) expect(text).toContain(`**${node.displayName}**`);
    const { stdout } = await assay(['install', 'comfyui', '--help']);
    const flags = [...text.matchAll(/^\| `(--[a-z]+)`/gm)].map((m) => m[1]!);
    expect(flags.length).toBeGreaterThan(3);
    for (const flag of flags) expect(stdout).toContain(flag);
  });

  it('links to files that exist', () => {
    const targets = [...text.matchAll(/\]\((?!http)([^)#]+)\)/g)].map((m) => m[1]!);
    expect(targets.length).toBeGreaterThan(2);
    for (const target of targets) expect(existsSync(new URL(target, page)), target).toBe(true);
  });
});
