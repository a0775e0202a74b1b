/** Manifests of any kind: the one that was meant, or MANIFEST_INVALID with the field that is wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { AssayError } from '../../../src/errors/error.ts';
import { readManifest } from '../../../src/reward/model/manifest.ts';
import { anyOf, key, leaf, spoilt } from '../../support/arbitrary.ts';
import { tempFolder } from '../../support/files.ts';
import { writeModel } from '../../support/models.ts';

// biome-ignore lint/suspicious/noExplicitAny: it is spoilt, not used
let good: any;
let folder = '';
let path = '';
beforeEach(() => {
  folder = writeModel(tempFolder());
  path = join(folder, 'manifest.json');
  good = JSON.parse(readFileSync(path, 'utf8'));
});

/** Every place in a manifest, as the keys on the way to it. */
const places = (value: unknown, at: string[] = []): string[][] =>
  value === null || typeof value !== 'object'
    ? [at]
    : [at, ...Object.entries(value).flatMap(([name, inner]) => places(inner, [...at, name]))];

function changed(value: unknown, [name, ...rest]: string[], change: (old: unknown) => unknown): unknown {
  if (name === undefined) return change(value);
  const old = (value as Record<string, unknown>)[name];
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  return Object.assign(copy, { [name]: changed(old, rest, change) });
}

function outcome(text: string): string {
  writeFileSync(path, text);
  try {
    const { manifest } = readManifest(folder);
    expect(manifest.id).toBeTruthy();
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(AssayError);
    const { code, message } = error as AssayError;
    expect(code).toBe('MANIFEST_INVALID');
    expect(message).not.toMatch(/undefined \(reading|is not a function|\[object/);
    return message;
  }
}

test('one field that is something else is named, or taken for what it is', () => {
  const odd = fc.oneof(
    leaf,
    anyOf(),
    fc.constantFrom(Number.MAX_VALUE, -1, '../x', '/etc/passwd', 'a'.repeat(300)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places(good)), odd, key, (at, value, name) => {
      const set = outcome(JSON.stringify(changed(good, at, () => value)));
      const added = outcome(
        JSON.stringify(
          changed(good, at, (old) =>
            Array.isArray(old) ? [...old, value] : { ...(old as object), [name]: value },
          ),
        ),
      );
      for (const message of [set, added]) if (message !== 'read') expect(message).toContain('manifest.json');
    }),
    { numRuns: 150 },
  );
});

test('no manifest reaches out of its folder', () => {
  const away = fc.constantFrom('../golden.json', '/etc/passwd', 'a/../../b', 'C:\\x', '..', 'a\0b');
  const names = places(good).filter((at) => ['calibration', 'golden', 'card'].includes(at.join('.')));
  expect(names).toHaveLength(3);
  fc.assert(
    fc.property(fc.constantFrom(...names), away, (at, value) => {
      expect(outcome(JSON.stringify(changed(good, at, () => value)))).toContain(at.join('.'));
    }),
    { numRuns: 30 },
  );
});

test('what is no manifest is refused', () => {
  const text = spoilt(fc.constant(Buffer.from(JSON.stringify(good))));
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        anyOf().map((value) => Buffer.from(JSON.stringify(value))),
      ),
      (bytes) => {
        outcome(bytes.toString('utf8'));
      },
    ),
    { numRuns: 100 },
  );
  expect(outcome(JSON.stringify(good))).toBe('read');
});
