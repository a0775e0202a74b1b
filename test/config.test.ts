import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { tempFolder } from './support/files.ts';

function fileWith(content: string): string {
  const path = join(tempFolder(), 'config.json');
  writeFileSync(path, content);
  return path;
}

describe('config', () => {
  it('lets flags win over environment, environment over file, file over defaults', () => {
    const file = fileWith('{"port": 1, "threads": 3, "host": "::1", "limits": {"maxItems": 7}}');
    const config = loadConfig({ port: 3, scorer: undefined }, file, {
      ASSAY_PORT: '2',
      ASSAY_HOST: '127.0.0.2',
    });
    expect(config).toMatchObject({ port: 3, host: '127.0.0.2', threads: 3, scorer: 'assay-lite' });
    expect(config.limits).toMatchObject({ maxItems: 7, maxQueue: 4096 });
    expect(Object.isFrozen(config.limits)).toBe(true);
  });

  it.each<[string, object, Record<string, string>, RegExp]>([
    [
      'an unknown key, with the near one',
      { prot: 1 },
      {},
      /flags: prot is 1; expected a known key \(did you mean "port"\?\)/,
    ],
    ['a name that every object has', { toString: 1 }, {}, /flags: toString is 1; expected a known key/],
    ['another', { constructor: 1 }, {}, /flags: constructor is 1; expected a known key/],
    ['an unknown nested key', { limits: { maxPixel: 3 } }, {}, /limits\.maxPixel is 3;.*"maxPixels"/],
    ['a wrong type', { port: 'x' }, {}, /port is "x"; expected number/],
    ['an environment variable', {}, { ASSAY_PORT: 'seven' }, /ASSAY_PORT: port is null; expected number/],
    ['a value out of range', { port: 70_000 }, {}, /port is 70000; expected/],
    ['an unknown provider', { providers: ['tpu'] }, {}, /providers\.0 is "tpu"; expected.*"cuda"/],
    ['a policy beyond its range', { policy: { minReward: 2 } }, {}, /policy\.minReward is 2/],
  ])('names source, key, value and expectation of %s', (_name, flags, env, message) => {
    expect(() => loadConfig(flags, undefined, env)).toThrow(message);
  });

  it.each([
    ['{', /JSON/],
    ['[1]', /not an object/],
  ])('says why the file %s cannot be read', (content, message) => {
    expect(() => loadConfig({}, fileWith(content), {})).toThrow(message);
  });

  it('says which file is absent', () => {
    expect(() => loadConfig({}, '/nowhere/config.json', {})).toThrow(
      /cannot read the config \/nowhere\/config\.json/,
    );
  });
});
