import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fail, toAssayError } from '../src/errors/error.ts';
import { nearest } from '../src/errors/nearest.ts';
import { ERRORS } from '../src/errors/table.ts';

describe('the table of errors', () => {
  it('is explained in docs/errors.md, code for code', () => {
    const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
    const documented = [...page.matchAll(/^### (\w+)$/gm)].map((m) => m[1]!);
    expect(documented.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });

  it('gives permanent faults 4xx and passing ones 5xx', () => {
    for (const [code, { kind, status }] of Object.entries(ERRORS)) {
      if (kind === 'input') expect(status, code).toBeLessThan(500);
      else expect(status, code).toBeGreaterThanOrEqual(500);
      if (kind === 'retry') expect([429, 503], code).toContain(status);
    }
  });

  it('never advises to run what a registry would have to send', () => {
    for (const [code, { fix }] of Object.entries(ERRORS)) expect(fix, code).not.toMatch(/\bnp(x|m exec)\b/);
  });

  it('fills messages and fixes from the details', () => {
    const error = fail('PROVIDER_UNAVAILABLE', { provider: 'cuda', reason: 'no GPU', install: 'Buy one.' });
    expect(error.message).toBe('execution provider cuda is not available: no GPU');
    expect(error.fix).toBe('Buy one.');
  });

  it('takes in anything thrown and keeps the cause', () => {
    const cause = new Error('boom');
    expect(toAssayError(cause)).toMatchObject({ code: 'INTERNAL', kind: 'internal', cause });
    expect(toAssayError(AbortSignal.abort().reason).code).toBe('CANCELLED');
    expect(toAssayError('text').message).toMatch(/text/);
  });

  it('suggests only near words', () => {
    expect(nearest('assay-light', ['assay-lite', 'acl-iqa'])).toBe('assay-lite');
    expect(nearest('zebra', ['assay-lite', 'acl-iqa'])).toBeUndefined();
  });
});
